package domain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestErrorKeepsItsCauseToItself(t *testing.T) {
	cause := errors.New("disk 7 is full")
	err := fmt.Errorf("append: %w", Unavailable.Errorf(CodeDiskFull, "try again later").Because(cause).After(time.Second))
	if KindOf(err) != Unavailable || CodeOf(err) != CodeDiskFull || !errors.Is(err, cause) {
		t.Errorf("%v: kind %s, code %s", err, KindOf(err), CodeOf(err))
	}
	var e *Error
	if !errors.As(err, &e) || e.Msg != "try again later" || e.RetryAfter != time.Second {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(err.Error(), "disk 7") {
		t.Error("the log would not show the cause")
	}
}

func TestKindOfWhatNobodyClassified(t *testing.T) {
	if err := errors.New("oops"); KindOf(err) != Internal || CodeOf(err) != "" {
		t.Errorf("%s %s", KindOf(err), CodeOf(err))
	}
}

func TestInvalidField(t *testing.T) {
	err := InvalidField("/name", "has %d characters", 81)
	if err.Kind != Invalid || len(err.Fields) != 1 || err.Fields[0] != (Field{"/name", "has 81 characters"}) ||
		err.Error() != "has 81 characters" {
		t.Errorf("%+v", err)
	}
}

func TestKindsAreDistinct(t *testing.T) {
	kinds := Kinds()
	slices.Sort(kinds)
	if len(slices.Compact(kinds)) != 9 {
		t.Errorf("%v", kinds)
	}
}
