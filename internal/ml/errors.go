package ml

import (
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// errStopping answers what waits when a pool ends.
var errStopping = domain.Unavailable.Errorf(domain.CodeBusy, "this version of the model is being stopped; try again")

// errUnloaded answers who asks a version that an administrator has unloaded.
var errUnloaded = domain.Unavailable.Errorf(domain.CodeBusy,
	"this version of the model is unloaded; an administrator can load it")

func errFull(most int) error {
	return domain.Unavailable.Errorf(domain.CodeBusy, "%d requests wait for this model already; try again", most).
		After(time.Second)
}

func errLate(state string) error {
	return domain.Unavailable.Errorf(domain.CodeTimeout, "the model did not answer in time: %s", state)
}

func errEnded(why error) error {
	return domain.Unavailable.Errorf(domain.CodeBusy, "the worker of the model ended while it had this request (%v)", why).
		After(time.Second)
}

func errPoison(d time.Duration) error {
	return domain.Invalid.Errorf(domain.CodeInvalidRequest,
		"this input has ended two workers of the model, and is refused for %v", d)
}

func errFailed(why error, probe time.Duration) error {
	return domain.Unavailable.Errorf(domain.CodeBusy, "the model does not run: %v", why).After(probe)
}

// errSlow ends a stream whose chunks nobody takes.
func errSlow(d time.Duration) error {
	return domain.Unavailable.Errorf(domain.CodeTimeout, "no chunk of the answer was taken for %v", d)
}

// errLong ends a stream that takes too long as a whole.
func errLong(d time.Duration) error {
	return domain.Unavailable.Errorf(domain.CodeTimeout, "the whole answer took more than %v", d)
}

// errChunkLate ends a stream whose next chunk does not come.
func errChunkLate(d time.Duration) error {
	return domain.Unavailable.Errorf(domain.CodeTimeout, "the model had no next chunk of its answer within %v", d)
}

// errWhole refuses to hold a long answer in memory.
var errWhole = domain.Invalid.Errorf(domain.CodeInvalidRequest,
	"the whole answer takes more than %d bytes: ask by generate_stream", maxMessage)

// errGone says that nobody reads a stream any more.
var errGone = errors.New("nobody reads the answer any more")

// errRoom says that the answers of a batch are too large for one message, or that one by itself is.
var errRoom = domain.Internal.Errorf("", "the answer of the model takes more than the %d bytes of a message",
	maxMessage)

// errHung says that a worker did not answer, and had to be killed.
var errHung = errors.New("it did not answer, and was ended")

// errMoved says that other workers have taken over: whoever is told so asks these.
var errMoved = errors.New("other workers have taken over")
