package attach

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
)

type connection struct{ name string }

func TestTheNewestConnectionThatIsThereCounts(t *testing.T) {
	t.Parallel()
	d := New[connection]()
	is := func(want *connection) {
		t.Helper()
		if got := d.Newest("lamp"); got != want {
			t.Errorf("the newest is %+v, and should be %+v", got, want)
		}
	}
	is(nil)
	first, second := &connection{"first"}, &connection{"second"}
	end1 := d.Add("lamp", first)
	end2 := d.Add("lamp", second)
	is(second)
	end2()
	is(first)
	end2() // again
	is(first)
	end1()
	is(nil)
	if len(d.byDevice) != 0 {
		t.Errorf("%d devices are kept", len(d.byDevice))
	}
}

func TestNoticesOfDevicesThatAreHereAreHandedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, d := bus.NewLocal(), New[connection]()
		var handed []string
		looks, handing := 0, make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := false
		go func() {
			err := d.Run(ctx, b, Work{Subject: "lamps", Workers: 1, Every: time.Minute,
				HandOver: func(_ context.Context, device string) { handed = append(handed, device); <-handing },
				Look:     func(context.Context) { looks++ }})
			if ended = true; err != nil {
				t.Error(err)
			}
		}()
		say := func(device string) {
			if err := b.Publish("lamps", []byte(device)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		synctest.Wait()
		time.Sleep(3 * time.Minute) // of the bubble
		say("lamp")
		if len(handed) != 0 || looks != 0 {
			t.Errorf("without a connection %v were handed over, and it was looked %d times", handed, looks)
		}
		defer d.Add("lamp", &connection{})()
		say("other")
		say("lamp")
		if !slices.Equal(handed, []string{"lamp"}) {
			t.Errorf("%v were handed over", handed)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if looks != 1 {
			t.Errorf("it was looked %d times in a minute", looks)
		}
		for range noticesMost + 3 {
			d.Notice("lamp")
		}
		if q := d.Queue("lamps"); q.Depth() != q.Limit || q.Full() != 3 {
			t.Errorf("%d notices wait of at most %d, and %d did not fit", q.Depth(), q.Limit, q.Full())
		}
		cancel()
		synctest.Wait()
		if ended {
			t.Error("it has ended before the last call has")
		}
		close(handing)
		synctest.Wait()
		if !ended {
			t.Error("it has not ended")
		}
	})
}
