package firmware

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A lamp is a device whose firmware is updated. Like a board it starts again whenever it ends.
type lamp struct {
	t       *testing.T
	s       *live.Server
	d       device
	m       *firmwaretest.Maker
	dir     string
	options []string
	now     *agent
	starts  int
}

// newLamp makes a product and a device of it that runs version code 1.
func newLamp(t *testing.T) *lamp {
	t.Helper()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	ann := s.User("ann")
	return newLampOf(t, s, firmwaretest.New(t, ann), registered(t, ann))
}

// newLampOf makes a device of a product that runs version code 1.
func newLampOf(t *testing.T, s *live.Server, m *firmwaretest.Maker, d device) *lamp {
	t.Helper()
	l := &lamp{t: t, s: s, d: d, m: m, dir: t.TempDir()}
	var root struct{ Payload []byte }
	must(t, json.Unmarshal(l.m.Root, &root))
	files := t.TempDir()
	must(t, os.WriteFile(filepath.Join(files, "root"), root.Payload, 0o600))
	must(t, os.WriteFile(filepath.Join(files, "image"), l.m.Build(board.Firmware{Code: 1}), 0o600))
	l.options = []string{"--root", filepath.Join(files, "root"), "--image", filepath.Join(files, "image"),
		"--log", "65536", "--base", "5", "--cap", "50"}
	return l
}

func (l *lamp) start(more ...string) {
	l.t.Helper()
	l.starts++
	l.now = start(l.t, at(l.s), l.d.key, l.dir, append(slices.Clone(l.options), more...)...)
	l.now.board = true
}

// The exit codes of the agent.
const (
	restarts = 97
	crashes  = 98
	noPower  = 99
)

// behind starts the device behind a network that is not well.
func (l *lamp) behind(c *cutter) {
	l.t.Helper()
	l.now = start(l.t, "ws://"+c.listen(l.t, l.s), l.d.key, l.dir, l.options...)
	l.now.board = true
}

// until starts the device again and again until the rollout is as it must be.
func (l *lamp) until(rollout, what string, done func(r firmwaretest.Rollout) bool, more ...string) {
	l.t.Helper()
	var r firmwaretest.Rollout
	wait(l.t, what, func() bool {
		l.again(more...)
		r = firmwaretest.Rollout{}
		l.m.Do("GET", "/rollouts/"+rollout, nil, &r)
		return done(r)
	})
}

// again starts the device if it has ended.
func (l *lamp) again(more ...string) {
	l.t.Helper()
	if l.now != nil {
		select {
		case <-l.now.done:
			code := l.now.cmd.ProcessState.ExitCode()
			if l.now.done = nil; code != restarts && code != crashes && code != noPower {
				l.t.Fatalf("the agent ended with %d: %q", code, l.now.said())
			}
		default:
			return
		}
	}
	l.start(more...)
}

func succeeded(r firmwaretest.Rollout) bool { return r.Counts.States["succeeded"] == 1 }
func failed(r firmwaretest.Rollout) bool    { return r.Counts.Failed == 1 }

// runs says what the device says that it runs.
func (l *lamp) runs(version string) {
	l.t.Helper()
	l.now.stop()
	l.start()
	l.now.hears("runs " + version)
	l.now.hears("online")
}

// The firmware takes an update, restarts once, and confirms it. Of firmware that fails its own test, or crashes before
// it has reached the server, it goes back.
func TestTheFirmwareIsUpdated(t *testing.T) {
	t.Parallel()
	l := newLamp(t)
	l.start()
	good := l.m.Bring(l.m.Publish(board.Firmware{Code: 2, Padding: 40 << 10}), "")
	l.until(good.ID, "the device has the release", succeeded)
	if l.starts != 2 {
		t.Errorf("it was started %d times", l.starts)
	}
	l.runs("1.2.0 2")
	for i, how := range []board.Fault{board.Unfit, board.Crashes} {
		bad := l.m.Bring(l.m.Publish(board.Firmware{Code: uint32(3 + i), Padding: 20 << 10, Does: board.Does{FailsOn: 100,
			How: how}}), "")
		l.until(bad.ID, "the device is back from what is "+string(how), failed)
		l.runs("1.2.0 2")
	}
}

// Firmware that never reaches the server takes itself back, and the server learns why.
func TestDeafFirmwareIsTakenBack(t *testing.T) {
	t.Parallel()
	l := newLamp(t)
	l.start("--confirm", "1000")
	deaf := l.m.Bring(l.m.Publish(board.Firmware{Code: 2, Padding: 20 << 10, Does: board.Does{FailsOn: 100,
		How: board.Deaf}}), "")
	l.until(deaf.ID, "the device is back from what is deaf", failed, "--confirm", "1000")
	if l.starts != 3 {
		t.Errorf("it was started %d times", l.starts)
	}
	var page struct {
		Items []struct{ State, Reason string }
	}
	wait(t, "the server learns why", func() bool {
		page.Items = nil
		l.m.Do("GET", "/rollouts/"+deaf.ID+"/updates", nil, &page)
		return len(page.Items) == 1 && strings.HasPrefix(page.Items[0].Reason, "rolled_back")
	})
	l.runs("1.1.0 1")
}

// The power goes at any byte of downloading, installing and starting: the device ends up with the release, and never
// with neither.
func TestPowerCutsDoNotStopAnUpdate(t *testing.T) {
	t.Parallel()
	l := newLamp(t)
	l.start()
	l.now.hears("online")
	l.now.stop()
	chance := rand.New(rand.NewPCG(5, 6))
	next := l.m.Bring(l.m.Publish(board.Firmware{Code: 2, Padding: 40 << 10}), "")
	for range 12 {
		l.start("--power", strconv.Itoa(500+chance.IntN(60_000)))
		var r firmwaretest.Rollout
		wait(t, "the power goes, or the update is over", func() bool {
			r = firmwaretest.Rollout{}
			l.m.Do("GET", "/rollouts/"+next.ID, nil, &r)
			return len(l.now.done) > 0 || succeeded(r)
		})
		if succeeded(r) {
			break
		}
		<-l.now.done
		l.now.done = nil
	}
	if l.now.done != nil {
		l.now.stop()
	}
	l.now = nil
	l.until(next.ID, "the device has the release", succeeded)
	l.runs("1.2.0 2")
}

// Where the device runs a release, it makes the next one of a patch, and loads little.
func TestTheFirmwareAppliesPatches(t *testing.T) {
	t.Parallel()
	l := newLamp(t)
	first := board.Firmware{Code: 2, Padding: 40 << 10, Seed: "lamp"}
	l.until(l.m.Bring(l.m.Publish(first), "").ID, "the device has the first release", succeeded)
	second := first
	second.Code = 3
	release := l.m.Publish(second)
	var r struct {
		Images []struct{ Deltas []struct{ Size int64 } }
	}
	wait(t, "a patch is made", func() bool {
		l.again()
		l.m.Do("GET", "/releases/"+release, nil, &r)
		return len(r.Images[0].Deltas) == 1
	})
	next := l.m.Bring(release, "")
	l.until(next.ID, "the device has the next release", succeeded)
	var page struct {
		Items []struct{ Size int64 }
	}
	l.m.Do("GET", "/rollouts/"+next.ID+"/updates", nil, &page)
	if len(page.Items) != 1 || page.Items[0].Size != r.Images[0].Deltas[0].Size {
		t.Errorf("it has loaded %+v, and the patch has %d bytes", page.Items, r.Images[0].Deltas[0].Size)
	}
	l.runs("1.3.0 3")
}

// An update that is aborted in the midst of the download ends there, and the next one is taken.
func TestAnAbortedUpdateEnds(t *testing.T) {
	t.Parallel()
	l := newLamp(t)
	l.behind(&cutter{pause: 20 * time.Millisecond})
	first := l.m.Bring(l.m.Publish(board.Firmware{Code: 2, Padding: 40 << 10}), "")
	l.m.Await(first.ID, "it downloads", func(r firmwaretest.Rollout) bool {
		return r.Counts.States["downloading"] == 1
	})
	l.m.Do("POST", "/rollouts/"+first.ID+"/actions", map[string]any{"action": "abort"}, nil)
	l.now.stop()
	l.now = nil
	second := l.m.Bring(l.m.Publish(board.Firmware{Code: 3, Padding: 20 << 10}), "")
	l.until(second.ID, "the device has the next release", succeeded)
	l.runs("1.3.0 3")
}

// An image whose bytes were changed on the way is not started.
func TestAChangedImageIsNotStarted(t *testing.T) {
	t.Parallel()
	l := newLamp(t)
	l.behind(&cutter{spoil: true})
	next := l.m.Bring(l.m.Publish(board.Firmware{Code: 2, Padding: 40 << 10}), "")
	l.m.Await(next.ID, "the device refuses it", func(r firmwaretest.Rollout) bool {
		return r.Counts.States["deferred"] == 1 // it is tried again in some minutes
	})
	var page struct {
		Items []struct{ State, Reason string }
	}
	l.m.Do("GET", "/rollouts/"+next.ID+"/updates", nil, &page)
	if len(page.Items) != 1 || !strings.HasPrefix(page.Items[0].Reason, "wrong_image_bytes") {
		t.Errorf("%+v", page)
	}
	l.runs("1.1.0 1")
}
