//go:build unix

// Package upgrade runs the program from before beside that of now: on one
// PostgreSQL and one NATS, with people at both.
package upgrade

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

const (
	patience = time.Minute
	root     = "../.."
	busy     = 3 * time.Second // that a machine with other work may add
	key      = "UNHIDRA_SERVER_KEY=the same key for every node of the cluster"
)

// A node of the version before and one of this version serve one room, while each
// is restarted as in an upgrade and, in the end, the way back.
func TestTwoVersionsSideBySide(t *testing.T) {
	t.Parallel()
	before, source := previous(t)
	now := node.Build(t)
	bus := natstest.Start(t)
	var oldLog, newLog testkit.Buffer
	settings := []string{"DATABASE_URL=" + pgtest.Database(t, nil), "NATS_URL=" + bus.URL(), key, "UNHIDRA_DRAIN=200ms"}
	older, newer := node.New(t, before, &oldLog, settings...), node.New(t, now, &newLog, settings...)
	older.Start()
	ready(t, older, &oldLog)
	ctx := t.Context()
	ann := client.New(older.URL())
	must(t, ann.Register(ctx, client.Registration{Username: "ann", Password: live.Password}))
	r, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Upgrade"})
	must(t, err)

	checked(t, now, settings)
	newer.Start() // and change the schema, under the older one's feet
	ready(t, newer, &newLog)
	bob := client.New(newer.URL())
	must(t, bob.Register(ctx, client.Registration{Username: "bob", Password: live.Password}))
	me, err := bob.Me(ctx)
	must(t, err)
	must(t, ann.Add(ctx, r.ID, me.ID))
	a, b := listen(t, ann), listen(t, bob)
	talk := func(when string) {
		t.Helper()
		for i := range 10 {
			from := []*listener{a, b}[i%2]
			sent, err := from.Send(ctx, client.Draft{Room: r.ID, Text: fmt.Sprint(when, " ", i)})
			must(t, err)
			for _, h := range []*listener{a, b} {
				await(t, when+": everybody to hear it", func() bool { return h.last() >= sent.Seq })
			}
		}
	}
	talk("beside each other")
	// What the older one was told is found as well. It may find less itself: it does
	// not know how the newer one indexes.
	await(t, "everything to be found at the new one", func() bool { return found(t, bob, "beside") == 10 })
	newer.Kill()
	newer.Start()
	ready(t, newer, &newLog)
	talk("after the new one came back")

	begin := time.Now()
	older.Stop(patience)
	older.Start()
	if lives(t, source, "postgres") {
		ready(t, older, &oldLog)
		t.Logf("drill: roll back a release: a node of the version before is ready after: %.2f s", time.Since(begin).Seconds())
		talk("after the old one came back")
	} else {
		await(t, "the old one to refuse the schema",
			func() bool { return strings.Contains(oldLog.String(), "was used by a newer Unhidra") })
	}
	a.whole(t, "ann, at the old one")
	b.whole(t, "bob, at the new one")
}

// checked has the new version say, beside the old one, that it is ready.
func checked(t *testing.T, bin string, settings []string) {
	t.Helper()
	check := exec.CommandContext(t.Context(), bin, "upgrade-check")
	check.Env = append(settings, "UNHIDRA_DATA_DIR="+t.TempDir())
	out, err := check.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Ready for version") {
		t.Errorf("upgrade-check beside the version before: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// A node that is killed takes its people's presence with it within 15 seconds.
func TestAKilledNodeTakesItsPeopleWithIt(t *testing.T) {
	bin := node.Build(t)
	settings := []string{"DATABASE_URL=" + pgtest.Database(t, nil), "NATS_URL=" + natstest.Start(t).URL(), key}
	var log testkit.Buffer
	nodes := []*node.Node{node.New(t, bin, &log, settings...), node.New(t, bin, &log, settings...)}
	var people []*client.Client
	for i, n := range nodes {
		n.Start()
		ready(t, n, &log)
		c := client.New(n.URL())
		must(t, c.Register(t.Context(), client.Registration{Username: fmt.Sprint("user", i), Password: live.Password}))
		people = append(people, c)
	}
	me, err := people[1].Me(t.Context())
	must(t, err)
	r, err := people[0].CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Two"})
	must(t, err)
	must(t, people[0].Add(t.Context(), r.ID, me.ID))
	a := listen(t, people[0])
	listen(t, people[1])
	is := func(want string) func() bool {
		return func() bool {
			ps, err := a.Watch(t.Context(), me.ID)
			return err == nil && len(ps) == 1 && ps[0].Is == want
		}
	}
	await(t, "the other to be online", is("online"))
	nodes[1].Kill()
	begin := time.Now()
	await(t, "the other to be gone", is("offline"))
	took := time.Since(begin)
	t.Logf("it took %v", took)
	if took > 15*time.Second+busy {
		t.Error("that is more than 15 seconds")
	}
}

// The version before goes on with a SQLite file that this version has brought up to
// date, as its steps promise, and this version with what that wrote meanwhile.
func TestThereAndBackOnSQLite(t *testing.T) {
	t.Parallel()
	before, source := previous(t)
	if !lives(t, source, "sqlite") {
		t.Skip("this version declares that the one before cannot go on with its schema")
	}
	var log testkit.Buffer
	folder := "UNHIDRA_DATA_DIR=" + t.TempDir()
	older, newer := node.New(t, before, &log, folder, key), node.New(t, node.Build(t), &log, folder, key)
	older.Start()
	ready(t, older, &log)
	ann := client.New(older.URL())
	must(t, ann.Register(t.Context(), client.Registration{Username: "ann", Password: live.Password}))
	r, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Upgrade"})
	must(t, err)
	older.Stop(patience)
	var want []string
	for i, n := range []*node.Node{older, newer, older, newer} {
		begin := time.Now()
		n.Start()
		ready(t, n, &log)
		if i == 2 {
			t.Logf("drill: roll back a release: with SQLite, the version before is ready after: %.2f s",
				time.Since(begin).Seconds())
		}
		c := client.New(n.URL())
		must(t, c.SignIn(t.Context(), "ann", live.Password))
		made, err := c.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: fmt.Sprint("Room ", i)})
		must(t, err)
		for _, room := range []string{r.ID, made.ID} {
			want = append(want, fmt.Sprint("sandwich ", len(want)))
			_, err = c.Send(t.Context(), client.Draft{Room: room, Text: want[len(want)-1]})
			must(t, err)
		}
		await(t, "everything to be found", func() bool { return found(t, c, "sandwich") == len(want) })
		n.Stop(patience)
	}
}

// found counts the messages that a search finds. It reads no more of a hit than each
// version sends.
func found(t *testing.T, c *client.Client, q string) int {
	t.Helper()
	var page struct{ Items []any }
	must(t, c.Do(t.Context(), "GET", "/search?limit=100&q="+q, nil, &page))
	return len(page.Items)
}

// beforeEnv is a commit that stands for the version before: how to see whether steps
// keep what they promise to programs that are older still.
const beforeEnv = "UNHIDRA_TEST_BEFORE"

// previous returns the program from before, and its source: the newest release before
// this commit, or else the commit before. Without that history there is none.
func previous(t *testing.T) (bin, source string) {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if made.bin == "" {
		commit := commitBefore(t)
		t.Logf("the version before is %s", commit)
		made.source, made.bin = buildBefore(t, commit)
	}
	return made.bin, made.source
}

// made is built once for all tests of this process, in folder.
var made struct {
	sync.Mutex
	folder, source, bin string
}

func TestMain(m *testing.M) {
	var err error
	if made.folder, err = os.MkdirTemp("", "unhidra-before-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(made.folder)
	os.Exit(code)
}

func commitBefore(t *testing.T) string {
	t.Helper()
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := os.Getenv(beforeEnv), error(nil)
	if commit == "" {
		commit, err = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
	}
	if err != nil {
		commit, err = git("rev-parse", "--verify", "--quiet", "HEAD^")
	}
	if err != nil {
		shallow, _ := git("rev-parse", "--is-shallow-repository")
		if os.Getenv("CI") != "" && shallow != "true" {
			t.Fatalf("the commit before this one is not there, and this is no shallow clone: %v", err)
		}
		t.Skip("no version from before to run: the history is not here (a shallow clone, or no git); fetch it with `git " +
			"fetch --unshallow`")
	}
	return commit
}

func buildBefore(t *testing.T, commit string) (source, bin string) {
	t.Helper()
	source, bin = filepath.Join(made.folder, "source"), filepath.Join(made.folder, "unhidra-before")
	must(t, os.MkdirAll(source, 0o700))
	archive := exec.CommandContext(t.Context(), "git", "-C", root, "archive", "--format=tar", commit)
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	var err error
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	must(t, unpack.Start())
	must(t, archive.Run())
	must(t, unpack.Wait())
	// not to compile anew what is in another folder each time
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", bin, "./cmd/unhidra")
	build.Dir = source
	build.Env = append(build.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return source, withKnown(t, bin, source)
}

// withKnown starts bin without the settings of these tests that it does not know: it
// would call them mistakes.
func withKnown(t *testing.T, bin, source string) string {
	t.Helper()
	options, err := os.ReadFile(filepath.Join(source, "internal/config/options.go"))
	must(t, err)
	script := "#!/bin/sh\n"
	for _, setting := range node.Quiet {
		name, _, _ := strings.Cut(setting, "=")
		if !bytes.Contains(options, []byte(strconv.Quote(name))) {
			script += "unset " + name + "\n"
		}
	}
	path := bin + ".sh"
	must(t, os.WriteFile(path, []byte(script+"exec '"+bin+"' \"$@\"\n"), 0o700))
	return path
}

var oldest = regexp.MustCompile(`\A-- oldest: (\d+)\n`)

// lives reports whether this version declares that the one from before, whose source
// is given, can go on with its schema.
func lives(t *testing.T, source, store string) bool {
	t.Helper()
	steps := func(at string) []string {
		files, err := filepath.Glob(filepath.Join(at, "internal/store/sql", store, "*.sql"))
		must(t, err)
		slices.Sort(files)
		return files
	}
	knows := len(steps(source))
	for _, f := range steps(root)[knows:] {
		text, err := os.ReadFile(f)
		must(t, err)
		m := oldest.FindSubmatch(text)
		if m == nil {
			return false
		}
		if n, _ := strconv.Atoi(string(m[1])); n > knows {
			return false
		}
	}
	return true
}

// listener keeps the numbers of the events that one connection got.
type listener struct {
	*client.Live
	mu   sync.Mutex
	seqs []int64
}

func listen(t *testing.T, c *client.Client) *listener {
	t.Helper()
	h := &listener{}
	h.Live = c.Live(t.Context(), client.LiveOptions{OnEvent: func(e client.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.seqs = append(h.seqs, e.Seq)
	}})
	t.Cleanup(h.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, h.Ready(ctx))
	return h
}

func (h *listener) last() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seqs) == 0 {
		return 0
	}
	return h.seqs[len(h.seqs)-1]
}

func (h *listener) whole(t *testing.T, who string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, n := range h.seqs {
		if n != h.seqs[0]+int64(i) {
			t.Fatalf("%s, got %v", who, h.seqs)
		}
	}
}

func ready(t *testing.T, n *node.Node, log *testkit.Buffer) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !n.Ready(t.Context()) {
		if time.Now().After(deadline) {
			t.Fatalf("the node is not ready:\n%s", log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
