package ml

import "time"

// Times are how long the server waits for workers. The zero value of each is the default.
type Times struct {
	Ping   time.Duration // between questions to an idle worker
	Missed int           // questions without an answer after which it hangs
	Hello  time.Duration // from the start of a process to its first word
	Load   time.Duration // for a model to load
	Grace  time.Duration // beyond the budget of a batch
	Step   time.Duration // from SIGABRT to SIGKILL, if it has not ended
	Take   time.Duration // for whoever asked to take a chunk of a stream
	Stream time.Duration // for a whole stream

	Backoff    time.Duration // before the first restart; doubles, up to BackoffMax
	BackoffMax time.Duration
	Settled    time.Duration // of health, after which a restart is the first again
	CrashSpan  time.Duration // in which Crashes deaths fail a version
	Crashes    int
	Probe      time.Duration // between attempts of a version that has failed
	Quarantine time.Duration // of an input that ended two workers
	Memory     time.Duration // between looks at the memory of an idle worker

	Drain time.Duration // for what is under way, before workers that were replaced are ended
	Rung  time.Duration // before the part of a candidate grows
}

func (t Times) withDefaults() Times {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Ping, time.Second}, {&t.Hello, 10 * time.Second}, {&t.Load, 30 * time.Second},
		{&t.Grace, 2 * time.Second}, {&t.Step, time.Second}, {&t.Take, 30 * time.Second}, {&t.Stream, 10 * time.Minute},
		{&t.Backoff, 100 * time.Millisecond}, {&t.BackoffMax, 30 * time.Second}, {&t.Settled, time.Minute},
		{&t.CrashSpan, time.Minute}, {&t.Probe, time.Minute}, {&t.Quarantine, 10 * time.Minute},
		{&t.Memory, 5 * time.Second}, {&t.Drain, 30 * time.Second}, {&t.Rung, 10 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if t.Missed == 0 {
		t.Missed = 3
	}
	if t.Crashes == 0 {
		t.Crashes = 5
	}
	return t
}
