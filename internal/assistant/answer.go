package assistant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	lease     = time.Minute            // of a question
	renew     = 2 * time.Second        // how often it is prolonged, and asked whether somebody has stopped it
	beat      = 500 * time.Millisecond // how often there is something to do while an answer comes in
	minEdit   = time.Second            // between two edits, at least, and
	editShare = 5                      // this part of the time that the answer has taken
	maxEdits  = 30                     // of an answer, the last included
	maxAnswer = 12 << 10               // bytes
	maxTime   = 5 * time.Minute        // for an answer
	maxSilent = time.Minute            // of the endpoint
	maxTries  = 4                      // requests for an answer
	minWait   = 2 * time.Second        // before the second request; twice as long before each further one
	maxWait   = 3 * time.Minute        // from the question to the last request
	ending    = 10 * time.Second       // to write the end of an answer
)

// What people are told beside, or instead of, an answer.
const (
	cutNote     = "The answer was cut off."
	longNote    = "The answer was cut off: it is longer than an answer may be."
	stoppedNote = "The answer was stopped."
	failedText  = "*I got no answer. Please ask again later.*"
	refusedText = "*These were too many questions for one hour. Please ask again later.*"
)

// A writing is an answer that is being written.
type writing struct {
	*Service
	a     *domain.Answering
	p     domain.Principal
	text  strings.Builder // all that came
	shown string          // the text that the message has
	edits int
	begun time.Time
	last  time.Time // when it was last shown
}

// errEarlier is the error of a message that an earlier attempt has written.
var errEarlier = errors.New("an earlier attempt has written this answer")

// answer answers a question that was leased, and stores what became of it. What cannot be stored is left to who gets
// the lease next.
func (s *Service) answer(ctx context.Context, a domain.Answering) {
	w := &writing{Service: s, a: &a, begun: s.Now(), p: domain.Principal{ID: a.Bot, Kind: domain.KindBot,
		Role: domain.SystemUser, Owner: a.Assistant.Owner}}
	result, err := w.work(ctx)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	var again *later
	switch {
	case errors.As(err, &again):
		err = s.Store.RetryAnswer(end, a, s.Now().Add(again.in))
	case errors.Is(err, errLost):
		return
	case err == nil:
		s.metrics.answers.WithLabelValues(result).Inc()
		err = s.Store.FinishAnswer(end, a)
	}
	if err != nil {
		s.Log.WarnContext(end, "write an answer of an assistant; it is ended later", "room", a.Room, "seq", a.Seq,
			"err", err)
	}
}

// errLost is the error of an answer that another node may have, or whose bot is gone.
var errLost = errors.New("the lease of the answer was lost")

// later is the error of an answer that is to be tried again.
type later struct{ in time.Duration }

func (l *later) Error() string { return fmt.Sprintf("try again in %s", l.in) }

// work does what the answer needs, and returns what became of it. After an error it is not at its end.
func (w *writing) work(ctx context.Context) (result string, err error) {
	a := w.a
	switch {
	case a.Message != 0: // a node began it, and is gone
		m, err := w.RoomLog.MessageAt(ctx, domain.WholeLog(a.Room), a.Message)
		if err != nil {
			return answerCut, ignoreGone(err)
		}
		w.shown = m.Text
		return answerCut, ignoreGone(w.note(ctx, cutNote))
	case a.Refused:
		return answerRefused, ignoreGone(w.show(ctx, refusedText))
	case w.Now().Sub(a.At) > maxWait:
		return answerFailed, ignoreGone(w.show(ctx, failedText))
	}
	if err := w.Chat.MayWrite(ctx, w.p, a.Room); err != nil {
		return answerFailed, ignoreGone(err)
	}
	turns, err := w.prompt(ctx, a)
	if err != nil {
		return answerStopped, ignoreGone(err)
	}
	end, err := w.receive(ctx, turns)
	if err != nil {
		return "", err
	}
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	return w.conclude(out, end)
}

// ignoreGone returns nil for what says that there is nothing to write any more: the message was deleted, or the
// assistant may not write in the room.
func ignoreGone(err error) error {
	switch domain.KindOf(err) {
	case domain.NotFound, domain.Forbidden, domain.Conflict, domain.Unauthorized:
		return nil
	}
	if errors.Is(err, errEarlier) {
		return nil
	}
	return err
}

// An end is why no more of an answer comes.
type end struct {
	err     error // of the endpoint; nil: the answer is whole
	short   bool  // the answer is longer than it may be
	stopped bool  // somebody does not want it any more
	gone    bool  // there is no message to write to
	down    bool  // the server stops
}

// receive shows the answer of the endpoint while it comes in, until its end.
func (w *writing) receive(ctx context.Context, turns []turn) (e end, err error) {
	asking, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(errEnough)
	pieces, done := make(chan string, 16), make(chan end, 1)
	go func() {
		short, err := w.ask(asking, w.a.Room, turns, func(piece string) {
			select {
			case pieces <- piece:
			case <-asking.Done():
			}
		})
		done <- end{err: err, short: short}
	}()
	tick := time.NewTicker(w.beat)
	defer tick.Stop()
	heard, renewed := w.begun, w.begun
	for {
		select {
		case <-ctx.Done():
			return end{down: true}, nil
		case piece := <-pieces:
			heard = w.Now()
			if w.text.WriteString(piece); w.text.Len() > maxAnswer {
				return end{short: true}, nil
			}
		case e := <-done:
			for len(pieces) > 0 {
				w.text.WriteString(<-pieces)
			}
			return e, nil
		case <-tick.C:
			now := w.Now()
			if now.Sub(heard) > maxSilent || now.Sub(w.begun) > maxTime {
				silent := &failure{why: "it does not go on"}
				cancel(silent)
				return end{err: silent}, nil
			}
			fresh, err := w.grow(ctx, now)
			if err != nil {
				return end{gone: true}, ignoreGone(err)
			}
			if fresh || now.Sub(renewed) >= renew {
				renewed = now
				stopped, ok, err := w.Store.RenewAnswer(ctx, w.a, now.Add(lease))
				switch {
				case err == nil && !ok:
					return e, errLost
				case stopped:
					return end{stopped: true}, nil
				case err != nil && ctx.Err() == nil:
					w.Log.WarnContext(ctx, "prolong the lease of an answer; will try again", "err", err)
				}
			}
		}
	}
}

// grow shows what has come so far, unless it was shown a short time ago, and reports whether the message is new. What
// fails for a while is tried again.
func (w *writing) grow(ctx context.Context, now time.Time) (fresh bool, err error) {
	taken := now.Sub(w.begun)
	if w.edits >= maxEdits-1 || now.Sub(w.last) < max(minEdit, taken/editShare) {
		return false, nil
	}
	text, ok := shownOf(w.text.String())
	if !ok || text == w.shown {
		return false, nil
	}
	fresh = w.a.Message == 0
	err = w.show(ctx, text)
	if kind := domain.KindOf(err); kind == domain.Unavailable || kind == domain.RateLimited {
		return false, nil
	}
	return fresh, err
}

// show gives the message of the answer a text, which begins with the one that it has.
func (w *writing) show(ctx context.Context, text string) error {
	a := w.a
	if text == w.shown {
		return nil
	}
	if a.Message == 0 {
		e, err := w.Chat.Send(ctx, w.p, domain.Draft{Room: a.Room, Key: fmt.Sprintf("answer/%s/%d", a.Room, a.Seq),
			Text: text, ReplyTo: a.Seq, Thread: a.Thread, Answer: true})
		if err != nil {
			return err
		}
		a.Message, w.shown, w.last = e.Seq, e.Message.Text, w.Now()
		if w.shown != text {
			if err := w.note(ctx, cutNote); err != nil {
				return err
			}
			return errEarlier
		}
		return nil
	}
	if _, err := w.Chat.Grow(ctx, w.p, a.Room, a.Message, text); err != nil {
		return err
	}
	w.shown, w.last = text, w.Now()
	w.edits++
	return nil
}

// note shows a note at the end of what is shown.
func (w *writing) note(ctx context.Context, note string) error {
	between := "\n\n"
	if strings.Count(w.shown, "```")%2 == 1 {
		between = "\n```\n\n"
	}
	if w.shown == "" {
		between = ""
	}
	note = "*" + note + "*"
	if strings.HasSuffix(w.shown, note) {
		return nil
	}
	return w.show(ctx, w.shown+between+note)
}

// conclude shows the end of an answer.
func (w *writing) conclude(ctx context.Context, e end) (result string, err error) {
	switch {
	case e.gone || e.stopped && w.shown == "":
		return answerStopped, nil
	case e.stopped:
		return answerStopped, ignoreGone(w.note(ctx, stoppedNote))
	}
	text, some := shownOf(w.text.String())
	if !some && e.err == nil && !e.down {
		e.err = &failure{why: "its answer is empty"}
	}
	switch {
	case e.err != nil:
		w.failedNow(ctx, e.err)
	case !e.down:
		w.answeredNow()
	}
	switch {
	case some:
	case e.down:
		return "", &later{}
	default:
		return w.again(ctx, e.err)
	}
	if err := w.show(ctx, text); err != nil {
		return answerCut, ignoreGone(err)
	}
	switch {
	case e.short:
		return answerCut, ignoreGone(w.note(ctx, longNote))
	case e.err != nil || e.down:
		return answerCut, ignoreGone(w.note(ctx, cutNote))
	}
	return answerWhole, nil
}

// again has an answer tried again of which nothing came, or says that there is none.
func (w *writing) again(ctx context.Context, cause error) (result string, err error) {
	wait := minWait << w.a.Tries
	var f *failure
	if errors.As(cause, &f) {
		wait = max(wait, f.after)
	}
	if f != nil && f.final || w.a.Tries+1 >= maxTries || w.Now().Add(wait).Sub(w.a.At) > maxWait {
		return answerFailed, ignoreGone(w.show(ctx, failedText))
	}
	return "", &later{wait}
}

// failedNow notes that the endpoint failed, and leaves it alone for as long as it wants.
func (s *Service) failedNow(ctx context.Context, err error) {
	f := &failure{}
	if !errors.As(err, &f) {
		f = &failure{why: err.Error()}
	}
	s.mu.Lock()
	s.failed = f
	if until := s.Now().Add(min(f.after, maxWait)); until.After(s.paused) {
		s.paused = until
	}
	s.mu.Unlock()
	s.Log.WarnContext(ctx, "what answers for assistants failed", "source", s.Endpoint.name(), "err", err)
}

func (s *Service) answeredNow() {
	s.mu.Lock()
	s.failed = nil
	s.mu.Unlock()
}

// shownOf returns a text of the model as a message may have it, and false if that is none.
func shownOf(text string) (string, bool) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	if len(text) > maxAnswer {
		text = strings.ToValidUTF8(text[:maxAnswer], "")
	}
	text, err := domain.CheckText(text)
	return text, err == nil
}
