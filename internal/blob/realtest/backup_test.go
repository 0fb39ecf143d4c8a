package realtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The server's backups in a bucket, by the program itself: made by schedule and by hand, encrypted,
// verified, restored, and the old ones deleted.
func TestBackupsInABucket(t *testing.T) {
	endpoint, stop := serve(t)
	h := host{t: t, bin: buildServer(t), at: endpoint + "/" + bucket + "/backups/", env: []string{
		"UNHIDRA_BACKUP_S3_KEY=" + key, "UNHIDRA_BACKUP_S3_SECRET=" + secret, "UNHIDRA_OPERATOR_ADDR=off",
		"UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0",
	}}
	objects := newClient(t, endpoint)
	for _, name := range []string{"backups/unhidra-20200101T000000Z.tar.age", "backups/mine.tar", "other"} {
		put(t, objects, name)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	h.must(data, "user", "create", "--generate", "ann")

	made := h.scheduled(data, objects, identity.Recipient().String())
	want := []string{"backups/mine.tar", made, "other"}
	if got := await(t, objects, func(names []string) bool { return len(names) == len(want) }); !slices.Equal(got, want) {
		t.Errorf("the bucket has %v, and not %v", got, want)
	}
	for _, url := range []string{h.at, endpoint + "/" + bucket + "/" + made} {
		if said := h.must(data, "backup", "verify", "--identity", file, url); !strings.Contains(said, "is good") ||
			!strings.Contains(said, strings.TrimPrefix(made, "backups/")) || !strings.Contains(said, "1 account,") {
			t.Errorf("verify: %s", said)
		}
	}
	back := t.TempDir()
	h.must(back, "restore", "--identity", file, h.at)
	if said := h.must(back, "user", "list"); !strings.Contains(said, "ann") {
		t.Errorf("restored: %s", said)
	}

	h.must(data, "backup", h.at+"monday.tar")
	h.must(data, "backup", "verify", h.at+"monday.tar")
	for says, args := range map[string][]string{
		"already exists": {"backup", h.at + "monday.tar"}, "give the backup a name": {"backup", h.at},
		"there is no ":          {"backup", "verify", h.at + "tuesday.tar"},
		"is not a backup":       {"backup", "verify", h.at + "mine.tar"},
		"bucket does not exist": {"backup", "verify", endpoint + "/none/monday.tar"},
	} {
		if said, err := h.run(data, args...); err == nil || !strings.Contains(said, says) {
			t.Errorf("%v: want %q, got %v: %s", args, says, err, said)
		}
	}
	h.env = h.env[2:]
	if said, err := h.run(t.TempDir(), "restore", h.at); err == nil ||
		!strings.Contains(said, "needs UNHIDRA_BACKUP_S3_KEY") {
		t.Errorf("without a key: %v: %s", err, said)
	}
	h.env = append(h.env, "UNHIDRA_BACKUP_S3_KEY="+key, "UNHIDRA_BACKUP_S3_SECRET="+secret)
	stop()
	if said, err := h.run(data, "backup", "verify", h.at+"monday.tar"); err == nil || strings.Contains(said, "damaged") {
		t.Errorf("while the service is away: %v: %s", err, said)
	}
}

// A host runs commands of the server.
type host struct {
	t   *testing.T
	bin string
	at  string // URL of its backups
	env []string
}

func (h host) run(data string, args ...string) (said string, err error) {
	cmd := exec.CommandContext(h.t.Context(), h.bin, args...)
	cmd.Env = append(os.Environ(), append(h.env, "UNHIDRA_DATA_DIR="+data)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h host) must(data string, args ...string) (said string) {
	h.t.Helper()
	said, err := h.run(data, args...)
	if err != nil {
		h.t.Fatalf("%v: %v\n%s", args, err, said)
	}
	return said
}

// scheduled runs the server until it has made a backup and deleted what was older, and returns the
// backup's name.
func (h host) scheduled(data string, objects *minio.Client, recipient string) (made string) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	cmd := exec.CommandContext(ctx, h.bin, "serve")
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Env = append(os.Environ(), append(h.env, "UNHIDRA_DATA_DIR="+data, "UNHIDRA_BACKUP="+h.at,
		"UNHIDRA_BACKUP_KEEP=1", "UNHIDRA_BACKUP_RECIPIENT="+recipient)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("the server: %v\n%s", err, log.String())
		}
	}()
	await(h.t, objects, func(names []string) bool {
		old := false
		for _, name := range names {
			if strings.Contains(name, "unhidra-2020") {
				old = true
			} else if strings.Contains(name, "unhidra-") {
				made = name
			}
		}
		return made != "" && !old
	})
	return made
}

// await waits until the names of all objects are as done wants them, and returns them in order.
func await(t *testing.T, objects *minio.Client, done func(names []string) bool) (names []string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		names = nil
		for o := range objects.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			names = append(names, o.Key)
		}
		slices.Sort(names)
		if done(names) {
			return names
		}
	}
	t.Fatalf("waited in vain; the bucket has %v", names)
	return nil
}

func put(t *testing.T, objects *minio.Client, name string) {
	t.Helper()
	_, err := objects.PutObject(t.Context(), bucket, name, strings.NewReader("text"), 4, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func newClient(t *testing.T, endpoint string) *minio.Client {
	t.Helper()
	c, err := minio.New(strings.TrimPrefix(endpoint, "http://"),
		&minio.Options{Creds: credentials.NewStaticV4(key, secret, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// buildServer builds the server as its own module does.
func buildServer(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "unhidra")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/unhidra")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return bin
}
