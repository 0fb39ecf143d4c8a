//go:build unix

package ml

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What it costs to ask a model that computes nothing, beside the least that two processes can do and beside gRPC:
//
//	go test -run '^$' -bench Bridge -benchtime 60x ./internal/ml
//
// With BENCH_PYTHON, a Python that has the package grpcio, a server of gRPC in Python is beside them, too.

const echoEnv = "UNHIDRA_TEST_ECHO" // a path: be a server of gRPC there

func TestMain(m *testing.M) {
	if path := os.Getenv(echoEnv); path != "" {
		if err := serveEcho(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	echoService = "test.Echo"
	echoMethod  = "/" + echoService + "/Echo"
)

// serveEcho answers each call with what it was sent, until the input ends.
func serveEcho(path string) error {
	var c net.ListenConfig
	l, err := c.Listen(context.Background(), "unix", path)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: echoService, HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Echo",
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := new(wrapperspb.BytesValue)
				return in, decode(in)
			}}}}, nil)
	fmt.Println("ready")
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); server.Stop() }()
	return server.Serve(l)
}

// An echo sends data somewhere, and returns what comes back.
type echo struct {
	name string
	ask  func(data []byte) ([]byte, error)
}

// BenchmarkBridge asks each in turns, some times in a row, and takes the median; what it reports are medians of these,
// and of the ratios within a turn, with the quartiles of that to bare.
func BenchmarkBridge(b *testing.B) {
	for _, c := range []struct {
		name        string
		size, calls int
	}{{"1kB", 1000, 200}, {"1MB", 1_000_000, 20}} {
		b.Run(c.name, func(b *testing.B) {
			bridge, _ := bridgeTo(b, 8)
			echoes := append([]echo{bridge, bareEcho(b, c.size)}, rpcEchoes(b)...)
			data := floatBytes(c.size)
			for _, e := range echoes { // what is slow only once does not count
				took(b, e, data, c.calls)
			}
			times := make([][]float64, len(echoes))
			for turn := 0; b.Loop(); turn++ {
				for i := range echoes {
					at := (turn + i) % len(echoes)
					times[at] = append(times[at], took(b, echoes[at], data, c.calls))
				}
			}
			for i, e := range echoes {
				b.ReportMetric(quantile(times[i], .5), e.name+"-µs")
				if i == 0 {
					continue
				}
				ratios := make([]float64, 0, len(times[0]))
				for turn, t := range times[0] {
					ratios = append(ratios, t/times[i][turn])
				}
				b.ReportMetric(quantile(ratios, .5), "of-"+e.name)
				if i == 1 {
					b.ReportMetric(quantile(ratios, .25), "of-bare-25%")
					b.ReportMetric(quantile(ratios, .75), "of-bare-75%")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// took is the median of so many calls, in microseconds.
func took(b *testing.B, e echo, data []byte, calls int) float64 {
	b.Helper()
	times := make([]float64, 0, calls)
	for range calls {
		begin := time.Now()
		got, err := e.ask(data)
		times = append(times, float64(time.Since(begin).Nanoseconds())/1000)
		if err != nil || !bytes.Equal(got, data) {
			b.Fatalf("%s answered %d bytes: %v", e.name, len(got), err)
		}
	}
	return quantile(times, .5)
}

func quantile(of []float64, q float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[int(q*float64(len(of)-1)+.5)]
}

// BenchmarkBridgeBatches has 32 ask at once for a while, of a worker that is given one request at a time, and of one
// that is given up to 32, in turns.
func BenchmarkBridgeBatches(b *testing.B) {
	data := floatBytes(1000)
	alone, _ := bridgeTo(b, 1)
	batched, _ := bridgeTo(b, 32)
	var rates [2][]float64
	var ratios []float64
	for turn := 0; b.Loop(); turn++ {
		for i := range 2 {
			at := (turn + i) % 2
			rates[at] = append(rates[at], perSecond(b, []echo{alone, batched}[at], data))
		}
		ratios = append(ratios, rates[1][turn]/rates[0][turn])
	}
	b.ReportMetric(quantile(rates[0], .5), "alone/s")
	b.ReportMetric(quantile(rates[1], .5), "batched/s")
	b.ReportMetric(quantile(ratios, .5), "of-alone")
	b.ReportMetric(quantile(ratios, .25), "of-alone-25%")
	b.ReportMetric(quantile(ratios, .75), "of-alone-75%")
	b.ReportMetric(0, "ns/op")
}

// perSecond is how often a second 32 who ask again and again are answered.
func perSecond(b *testing.B, e echo, data []byte) float64 {
	b.Helper()
	const span = time.Second
	var done atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range 32 {
		all.Go(func() {
			for time.Since(begin) < span {
				if got, err := e.ask(data); err != nil || len(got) != len(data) {
					b.Errorf("%d bytes: %v", len(got), err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(begin).Seconds()
}

// BenchmarkBridgeMemory asks 100,000 times, of which one in a hundred has 1 MB, and tells what this process and the
// worker take after a tenth of them and at the end, and the most that either took at a thousandth.
func BenchmarkBridgeMemory(b *testing.B) {
	const calls = 100_000
	bridge, worker := bridgeTo(b, 8)
	small, large := floatBytes(1000), floatBytes(1_000_000)
	for b.Loop() {
		var server, theirs []float64
		for i := range calls {
			data := small
			if i%100 == 0 {
				data = large
			}
			if got, err := bridge.ask(data); err != nil || len(got) != len(data) {
				b.Fatalf("%d bytes: %v", len(got), err)
			}
			if (i+1)%(calls/100) == 0 {
				server = append(server, float64(residentSet(os.Getpid()))/(1<<20))
				theirs = append(theirs, float64(worker())/(1<<20))
			}
		}
		for _, m := range []struct {
			name string
			of   []float64
		}{{"server", server}, {"worker", theirs}} {
			b.ReportMetric(quantile(m.of[10:20], .5), m.name+"-second-tenth-MiB")
			b.ReportMetric(quantile(m.of[90:], .5), m.name+"-last-tenth-MiB")
			b.ReportMetric(slices.Max(m.of), m.name+"-most-MiB")
		}
		debug.FreeOSMemory()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		b.ReportMetric(float64(stats.HeapAlloc)/(1<<20), "live-MiB")
		b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	}
}

// bridgeTo starts a worker as the server does, which echoes, and returns how to ask it and what memory it takes.
func bridgeTo(b *testing.B, batch int) (e echo, memory func() int64) {
	b.Helper()
	dir := b.TempDir()
	folder := filepath.Join(dir, "echo", "1")
	must(b, os.MkdirAll(folder, 0o700))
	code, err := os.ReadFile("testdata/echo/model.py")
	must(b, err)
	must(b, os.WriteFile(filepath.Join(folder, "model.py"), code, 0o600))
	sum, err := fileSum(os.DirFS(folder), "model.py")
	must(b, err)
	text := fmt.Sprintf("name = \"echo\"\nversion = 1\nclass = \"model:Echo\"\nmax_batch = %d\n"+
		"[[inputs]]\nname = \"x\"\ndatatype = \"FP32\"\nshape = [-1]\n"+
		"[[outputs]]\nname = \"y\"\ndatatype = \"FP32\"\nshape = [-1]\n[files]\n\"model.py\" = %q\n", batch, sum)
	must(b, os.WriteFile(filepath.Join(folder, ManifestFile), []byte(text), 0o600))
	s := newServiceWith(b, dir, Times{}, func(*Deps) {})
	until(b, "a worker that is ready", ready(s))
	ask := func(data []byte) ([]byte, error) {
		a, err := s.Infer(b.Context(), Request{Model: "echo", Inputs: []Tensor{
			{Name: "x", Type: "FP32", Shape: []int64{int64(len(data) / 4)}, Data: data},
		}})
		if err != nil {
			return nil, err
		}
		return a.Outputs[0].Data, nil
	}
	return echo{"bridge", ask}, func() int64 { return s.Health().Versions[0].Workers[0].Memory }
}

// bareEcho starts a program in Python that sends back each message of size bytes.
func bareEcho(b *testing.B, size int) echo {
	b.Helper()
	ours, theirs, err := socketPair()
	must(b, err)
	cmd := exec.CommandContext(b.Context(), "python3", "-I", "testdata/echo/bare.py", strconv.Itoa(size))
	cmd.ExtraFiles = []*os.File{theirs}
	must(b, cmd.Start())
	must(b, theirs.Close())
	b.Cleanup(func() { _ = ours.Close(); _ = cmd.Wait() })
	got := make([]byte, size)
	return echo{"bare", func(data []byte) ([]byte, error) {
		if _, err := ours.Write(data); err != nil {
			return nil, err
		}
		_, err := io.ReadFull(ours, got)
		return got, err
	}}
}

// rpcEchoes starts servers of gRPC at Unix sockets: in Go, and in Python if there is one that can.
func rpcEchoes(b *testing.B) []echo {
	b.Helper()
	program, err := os.Executable()
	must(b, err)
	ours := exec.CommandContext(b.Context(), program)
	path := filepath.Join(b.TempDir(), "go")
	ours.Env = append(os.Environ(), echoEnv+"="+path)
	echoes := []echo{rpcEcho(b, "grpc", path, ours)}
	if python := os.Getenv("BENCH_PYTHON"); python != "" {
		path := filepath.Join(b.TempDir(), "python")
		//nolint:gosec // who measures names it
		cmd := exec.CommandContext(b.Context(), python, "-I", "testdata/echo/rpc.py", path)
		echoes = append(echoes, rpcEcho(b, "grpc-python", path, cmd))
	}
	return echoes
}

func rpcEcho(b *testing.B, name, path string, cmd *exec.Cmd) echo {
	b.Helper()
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	cmd.Stderr = os.Stderr
	must(b, cmd.Start())
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(line) != "ready" {
		b.Fatalf("%s says %q: %v", name, line, err)
	}
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	must(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return echo{name, func(data []byte) ([]byte, error) {
		var got wrapperspb.BytesValue
		err := conn.Invoke(b.Context(), echoMethod, wrapperspb.Bytes(data), &got)
		return got.GetValue(), err
	}}
}

// residentSet returns the bytes of memory that a process has.
func residentSet(pid int) int64 {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
