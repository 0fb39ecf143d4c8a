package mail

// Poke lets the workers look for mails now.
func (q *Queue) Poke() {
	for range workers {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// The parts that are tested by themselves.
var (
	Backoff      = backoff
	CheckAddress = checkAddress
	Cleaned      = sanitized
	Compose      = compose
)
