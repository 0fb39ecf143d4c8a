package domain

import "time"

// ContentAnswer is the content type of what an assistant wrote: its text, in Markdown, was made by a language model.
// Only the server writes such messages. While an answer comes in, its text grows, and no earlier texts are kept.
const ContentAnswer = "text/vnd.unhidra.answer"

// MaxInstructions is how many characters the instructions of an assistant may have.
const MaxInstructions = 4000

// Assistant is a bot that is answered by a language model.
type Assistant struct {
	Bot          UserRef
	Owner        string // id
	Instructions string // what the model is told beside what the server tells it; may be empty
	CreatedAt    time.Time
}

// Question is a message that asks an assistant something.
type Question struct {
	Room   string
	Seq    int64 // of the message
	Bot    string
	Asker  string // id
	Thread int64  // in which the answer is to be; 0: in none
	At     time.Time
}

// QuestionLimits bound the questions of an hour.
type QuestionLimits struct {
	Person int // of one person
	Room   int // of all people in a room
}

// Answering is a question that is being answered.
type Answering struct {
	Question
	Assistant Assistant
	Message   int64 // number of the answer; 0: there is none yet
	Tries     int   // requests before, which had no answer
	Refused   bool  // it is one too many: the answer is to say so
	Lease     time.Time
}
