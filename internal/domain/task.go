package domain

// Ticking says which task of a message is done, or is not.
type Ticking struct {
	N    int    // from 1, in the order of the text
	Task string // the line of the task, as whoever ticks it has seen it
	Done bool
}

// Tick returns a message's text with a task marked as done or not. A task that
// says something else by now is not ticked. The text's lines end with line
// feeds (CheckText).
func Tick(text string, t Ticking) (string, error) {
	tasks := tasksOf(parseBlocks(text))
	if t.N < 1 || t.N > len(tasks) || tasks[t.N-1].line.s != t.Task {
		return "", NotFound.Errorf(CodeNoTask, "the message has no such task now; read it again")
	}
	task := tasks[t.N-1]
	if task.done == t.Done {
		return text, nil
	}
	mark := " "
	if t.Done {
		mark = "x"
	}
	return text[:task.at] + mark + text[task.at+1:], nil
}

// tasksOf returns the tasks of a text, from its beginning to its end.
func tasksOf(blocks []block) (tasks []*task) {
	for _, b := range blocks {
		tasks = append(tasks, tasksOf(b.quote)...)
		for _, it := range b.list {
			if it.task != nil {
				tasks = append(tasks, it.task)
			}
			tasks = append(tasks, tasksOf(it.blocks)...)
		}
	}
	return tasks
}
