//go:build linux

package app_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
	"github.com/unhidra/unhidra/internal/wire"
)

// BenchmarkUpdatesAsked has many devices (BENCH_DEVICES, 1,000) that are connected say at once what they run, while a
// rollout is for all of them. It tells how long it takes until all have an answer, and until as many as may have an
// offer, 1,000 at most, have it, what processor time the server takes for one, and what memory it has then. It is of
// one round: -benchtime 1x.
func BenchmarkUpdatesAsked(b *testing.B) {
	n := int(testkit.Setting(b, "BENCH_DEVICES", 1000))
	dir := b.TempDir()
	var log testkit.Buffer
	settings := []string{"UNHIDRA_DATA_DIR=" + dir, "UNHIDRA_LOG_LEVEL=warn",
		fmt.Sprint("UNHIDRA_CONNECTIONS_PER_ADDR=", n+100), fmt.Sprint("UNHIDRA_CONNECTIONS_PER_USER=", n+100),
		fmt.Sprint("UNHIDRA_DEVICES_PER_USER=", n), "RATE_LIMIT_IP_PER_MINUTE=1000000",
		"RATE_LIMIT_USER_PER_MINUTE=1000000"}
	if address := os.Getenv("BENCH_DATABASE"); address != "" {
		settings = append(settings, "DATABASE_URL="+address)
	}
	bin := node.Build(b)
	s := node.New(b, bin, &log, settings...)
	s.Start()
	traffic.Wait(b.Context(), b, "the server takes requests", func() bool { return s.Ready(b.Context()) })
	ann := client.New(s.URL())
	if err := ann.Register(b.Context(), client.Registration{Username: "ann", Password: live.Password}); err != nil {
		b.Fatal(err, log.String())
	}
	m := firmwaretest.New(b, ann)
	offers := make(chan struct{}, n)
	all := askers(b, s.URL(), importKeys(b, bin, settings, n), offers)
	first := min(n, 1000) // more are not offered an update before some have succeeded
	m.Do("POST", "/rollouts", map[string]any{"release": m.Publish(board.Firmware{Code: 2}), "plan": map[string]any{
		"stages": []map[string]any{{"percent": 100}},
		"limits": map[string]any{"begin": first, "growth": 1, "downloads": first, "per_minute": 100_000}}}, nil)
	for b.Loop() {
		cpu, begin := cpuOf(b, []int{s.PID()}), time.Now()
		refused := askAll(b, all)
		b.ReportMetric(float64(refused), "refused")
		b.ReportMetric(time.Since(begin).Seconds(), "s-answers")
		for range first {
			select {
			case <-offers:
			case <-time.After(2 * time.Minute):
				b.Fatal("an offer is missing", log.String())
			}
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s-offers")
		b.ReportMetric((cpuOf(b, []int{s.PID()})-cpu).Seconds()*1e6/float64(n), "cpu-µs/ask")
		b.ReportMetric(float64(residentOf(b, s.PID()))/(1<<20), "MiB")
	}
}

// importKeys registers devices, and returns their keys.
func importKeys(b *testing.B, bin string, settings []string, n int) (keys []string) {
	b.Helper()
	var lines strings.Builder
	lines.WriteString("name\n")
	for i := range n {
		fmt.Fprintln(&lines, "Board", i)
	}
	fleet, out := filepath.Join(b.TempDir(), "fleet.csv"), filepath.Join(b.TempDir(), "keys.csv")
	if err := os.WriteFile(fleet, []byte(lines.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), bin, "device", "import", "ann", fleet, "--keys", out)
	cmd.Env = append(os.Environ(), settings...)
	if said, err := cmd.CombinedOutput(); err != nil {
		b.Fatal(err, string(said))
	}
	file, err := os.Open(out)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		b.Fatal(err)
	}
	for _, row := range rows[1:] { // line, result, name, serial, device, key, error
		keys = append(keys, row[5])
	}
	return keys
}

// An asker is a device that is connected.
type asker struct {
	live   *client.Live
	number int
}

// askers connects devices.
func askers(b *testing.B, url string, keys []string, offers chan<- struct{}) []*asker {
	b.Helper()
	all := make([]*asker, len(keys))
	inParallel(b, len(keys), func(i int) error {
		c := client.New(url)
		c.Device(keys[i])
		a := &asker{number: i}
		a.live = c.Live(b.Context(), client.LiveOptions{OnOther: func(typ string, _ json.RawMessage) {
			if typ == wire.TypeFirmwareOffer {
				offers <- struct{}{}
			}
		}})
		b.Cleanup(a.live.Close)
		all[i] = a
		return a.live.Ready(b.Context())
	})
	return all
}

// report is that of a board with the version before.
func (a *asker) report() wire.FirmwareReport {
	return wire.FirmwareReport{Product: "lamp", Chip: "esp32c3", Revision: 1, Version: "1.1.0", VersionCode: 1,
		SHA256: strings.Repeat("1", 64), ELFSHA256: strings.Repeat("2", 64), SlotState: "valid", ResetReason: "power_on",
		Nonce: fmt.Sprintf("%032x", a.number), RollbackCapable: true, RootVersion: 1}
}

// askAll has all say at once what they run, and waits for the answers. Who is refused, because devices of one owner may
// send 500 requests a second and 2,000 at once, asks again later, as devices do; it returns how often that was.
func askAll(b *testing.B, all []*asker) int {
	b.Helper()
	var wg sync.WaitGroup
	var refused atomic.Int64
	for _, a := range all {
		wg.Go(func() {
			for wait := time.Second; ; wait *= 2 {
				err := a.live.Request(b.Context(), wire.TypeFirmware, a.report(), nil)
				if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == "rate_limited" {
					refused.Add(1)
					<-time.After(wait/2 + rand.N(wait)) //nolint:gosec // it need not be hard to guess
					continue
				}
				if err != nil {
					b.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	return int(refused.Load())
}

// residentOf is the memory of a process.
func residentOf(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}
