package incoming

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// page is something with a title that one can look at.
type page struct {
	Number  int    `json:"number"`
	Title   string `json:"title"`
	HTMLURL string `json:"html_url"`
	Body    string `json:"body"`
	Name    string `json:"name"`
	TagName string `json:"tag_name"`
	State   string `json:"state"`
	Merged  bool   `json:"merged"`
}

// githubBody has what is shown of GitHub's events.
type githubBody struct {
	Action string `json:"action"`
	Zen    string `json:"zen"`
	Repo   struct {
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
	} `json:"repository"`
	Organization struct {
		Login string `json:"login"`
	} `json:"organization"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
	Ref     string `json:"ref"`
	RefType string `json:"ref_type"`
	Forced  bool   `json:"forced"`
	Created bool   `json:"created"`
	Deleted bool   `json:"deleted"`
	Compare string `json:"compare"`
	Commits []struct {
		ID      string `json:"id"`
		Message string `json:"message"`
		URL     string `json:"url"`
	} `json:"commits"`
	Issue       *page `json:"issue"`
	PullRequest *page `json:"pull_request"`
	Discussion  *page `json:"discussion"`
	Comment     *page `json:"comment"`
	Review      *page `json:"review"`
	Release     *page `json:"release"`
	Forkee      *struct {
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
	} `json:"forkee"`
	Run *struct {
		Name       string `json:"name"`
		HTMLURL    string `json:"html_url"`
		HeadBranch string `json:"head_branch"`
		Status     string `json:"status"`
		Conclusion string `json:"conclusion"`
	} `json:"workflow_run"`
}

func github(event string, data []byte) (string, error) {
	var b githubBody
	if err := json.Unmarshal(data, &b); err != nil {
		return "", err
	}
	where := cmp.Or(link(plain(b.Repo.FullName), b.Repo.HTMLURL), plain(b.Organization.Login))
	return joined(" · ", where, b.markdown(event)), nil
}

func (b githubBody) markdown(event string) string {
	who, did := bold(plain(b.Sender.Login)), plain(strings.ReplaceAll(b.Action, "_", " "))
	switch {
	case event == "ping":
		return joined(" ", "GitHub posts here from now on.", plain(b.Zen))
	case event == "push":
		return b.push(who)
	case event == "create", event == "delete":
		return joined(" ", who, event+"d", plain(b.RefType), code(b.Ref))
	case event == "fork" && b.Forkee != nil:
		return joined(" ", who, "forked it as", link(plain(b.Forkee.FullName), b.Forkee.HTMLURL))
	case event == "star", event == "watch":
		if b.Action == "deleted" {
			return who + " took a star away"
		}
		return who + " gave it a star ⭐"
	case b.Run != nil:
		return b.run()
	case b.Review != nil:
		return who + " reviewed " + b.PullRequest.named("pull request") + " (" +
			plain(strings.ReplaceAll(b.Review.State, "_", " ")) + ")" + b.Review.said()
	case b.Comment != nil:
		return who + " " + commented(b.Action) + " " + link("a comment", b.Comment.HTMLURL) + " on " + b.subject() +
			b.Comment.said()
	case b.PullRequest != nil && b.Action == "closed" && b.PullRequest.Merged:
		return who + " merged " + b.PullRequest.named("pull request")
	case b.Release != nil:
		return who + " " + did + " release " + b.Release.named("") + b.Release.said()
	case b.Issue != nil, b.PullRequest != nil, b.Discussion != nil:
		text := who + " " + did + " " + b.subject()
		if b.Action == "opened" || b.Action == "created" {
			text += cmp.Or(b.Issue, b.PullRequest, b.Discussion).said()
		}
		return text
	}
	return joined(" ", who, code(event), did)
}

// commented says what somebody did with a comment.
func commented(action string) string {
	switch action {
	case "edited":
		return "changed"
	case "deleted":
		return "deleted"
	}
	return "wrote"
}

// subject is what a comment is about.
func (b githubBody) subject() string {
	switch {
	case b.Issue != nil:
		return b.Issue.named("issue")
	case b.PullRequest != nil:
		return b.PullRequest.named("pull request")
	case b.Discussion != nil:
		return b.Discussion.named("discussion")
	}
	return "a commit"
}

// named is a page with its number and title, as a link.
func (p *page) named(what string) string {
	if p == nil {
		return what
	}
	title := cmp.Or(p.Title, p.Name, p.TagName)
	if p.Number > 0 {
		title = fmt.Sprintf("#%d %s", p.Number, title)
	}
	return joined(" ", what, link(plain(short(title, 200)), p.HTMLURL))
}

// said is the beginning of a page's text, quoted.
func (p *page) said() string {
	if p == nil || strings.TrimSpace(p.Body) == "" {
		return ""
	}
	return "\n" + quote(plain(short(line(p.Body), 300)))
}

const shownCommits = 10

func (b githubBody) push(who string) string {
	branch := code(strings.TrimPrefix(strings.TrimPrefix(b.Ref, "refs/heads/"), "refs/tags/"))
	switch {
	case b.Deleted:
		return who + " deleted " + branch
	case len(b.Commits) == 0 && b.Created:
		return who + " created " + branch
	}
	how := "pushed"
	if b.Forced {
		how = "force-pushed"
	}
	lines := []string{who + " " + how + " " + link(counted(len(b.Commits), "commit"), b.Compare) + " to " + branch}
	for _, c := range b.Commits[:min(len(b.Commits), shownCommits)] {
		lines = append(lines, "- "+link(plain(short(firstLine(c.Message), 120)), c.URL))
	}
	if more := len(b.Commits) - shownCommits; more > 0 {
		lines = append(lines, fmt.Sprintf("- … and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// run says how a workflow ended, or that it began.
func (b githubBody) run() string {
	state := cmp.Or(b.Run.Conclusion, b.Run.Status)
	sign := map[string]string{"success": "✅", "failure": "❌", "cancelled": "⏹️", "timed_out": "❌"}[state]
	return joined(" ", sign, link(plain(b.Run.Name), b.Run.HTMLURL), "on", code(b.Run.HeadBranch)+":",
		plain(strings.ReplaceAll(state, "_", " ")))
}

// code is a text as a span of code.
func code(s string) string {
	s = strings.ReplaceAll(line(s), "`", "'")
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
