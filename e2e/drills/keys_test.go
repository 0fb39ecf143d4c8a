//go:build linux

package drills

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// All keys of a server on PostgreSQL have leaked but the server's own. What they opened is closed,
// while people write.
func TestLeakKeys(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	bin := node.Build(t)
	pg := pgtest.Start(t, node.Port(t), "")
	dir := t.TempDir()
	jwt, database := filepath.Join(dir, "jwt"), filepath.Join(dir, "database")
	newSecret(t, jwt)
	leakedDatabase := withPassword(t, pg, database)
	settings := []string{"UNHIDRA_DATA_DIR=" + dir, "JWT_SECRET_FILE=" + jwt, "DATABASE_URL_FILE=" + database}
	s := serve(ctx, t, bin, settings...)
	people, room := traffic.Settle(ctx, t, 3, s.URL())
	f := traffic.Start(ctx, t, people[:2], room, usual)
	f.AwaitAll()
	stranger := func(token string) *client.Client {
		c := client.New(s.URL())
		c.Token(token)
		return c
	}
	thief := stranger(strings.TrimSpace(command(t, bin, settings, "token", "issue", "user0")))
	must(t, opens(ctx, thief))

	begin := time.Now()
	newSecret(t, jwt) // and the old one into JWT_SECRETS_OLD by no means
	s.Stop(patience)
	start(ctx, t, s)
	if opens(ctx, thief) == nil {
		t.Error("the leaked key still opens the server")
	}
	f.AwaitAll() // clients renew their sessions by themselves
	took(t, "leak a key: JWT_SECRET is another, and everybody writes again, after", time.Since(begin))

	withoutJWT := []string{settings[0], settings[2]}
	thief = stranger(strings.TrimSpace(command(t, bin, withoutJWT, "token", "issue", "user0")))
	if opens(ctx, thief) == nil {
		t.Error("with JWT_SECRET, the server's key still opens the server")
	}

	leakedDevice, keptDevice := leakADeviceKey(ctx, t, bin, s, settings)
	if isLetIn(ctx, s, leakedDevice) || !isLetIn(ctx, s, keptDevice) {
		t.Error("the wrong key of the device is let in")
	}

	burglar, err := sql.Open("pgx", leakedDatabase)
	must(t, err)
	defer burglar.Close()
	inside, err := burglar.Conn(ctx)
	must(t, err)
	begin = time.Now()
	withPassword(t, pg, database)
	s.Stop(patience)
	pg.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chat'")
	start(ctx, t, s)
	f.AwaitAll()
	took(t, "leak a key: the database's password is another, and everybody writes again, after", time.Since(begin))
	if inside.PingContext(ctx) == nil || burglar.PingContext(ctx) == nil {
		t.Error("who had the leaked password is still in the database")
	}

	leakedSession := people[2].Tokens()
	begin = time.Now()
	command(t, bin, settings, "user", "end-sessions", "user2")
	thief = stranger(leakedSession.Access)
	traffic.Wait(ctx, t, "the session ends", func() bool { return opens(ctx, thief) != nil })
	took(t, "leak a key: a session is ended after", time.Since(begin))
	thief.SetTokens(leakedSession)
	if opens(ctx, thief) == nil {
		t.Error("the leaked session can be renewed")
	}
	must(t, client.New(s.URL()).SignIn(ctx, "user2", traffic.Password))
	f.Stop()
	f.Check(people[0])
}

// newSecret writes another secret to a file.
func newSecret(t *testing.T, path string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(rand.Text()+rand.Text()), 0o600))
}

// opens fails if a client's token is refused.
func opens(ctx context.Context, c *client.Client) error {
	_, err := c.Me(ctx)
	return err
}

// withPassword gives the server's role of PostgreSQL a new password, and writes the URL with it to
// a file. The first call makes the role and its database.
func withPassword(t *testing.T, pg *pgtest.Own, path string) (address string) {
	t.Helper()
	if pg.Ask("SELECT count(*) FROM pg_roles WHERE rolname = 'chat'") == "0" {
		pg.Exec("CREATE ROLE chat LOGIN")
		pg.Exec("CREATE DATABASE chat OWNER chat")
		hba := pg.Ask("SHOW hba_file")
		rules, err := os.ReadFile(hba)
		must(t, err)
		rules = append([]byte("host chat chat 127.0.0.1/32 scram-sha-256\n"), rules...)
		must(t, os.WriteFile(hba, rules, 0o600))
		pg.Ask("SELECT pg_reload_conf()")
	}
	password := rand.Text()
	pg.Exec(fmt.Sprintf("ALTER ROLE chat PASSWORD '%s'", password))
	u := url.URL{Scheme: "postgres", User: url.UserPassword("chat", password), Host: pg.Addr(), Path: "/chat",
		RawQuery: "sslmode=disable"}
	must(t, os.WriteFile(path, []byte(u.String()), 0o600))
	return u.String()
}

// leakADeviceKey gives a device whose key has leaked another, and revokes the first.
func leakADeviceKey(
	ctx context.Context, t *testing.T, bin string, s *node.Node, settings []string,
) (leaked, kept string) {
	t.Helper()
	lines := strings.Fields(command(t, bin, settings, "device", "register", "user1", "Thermometer"))
	device, leaked := lines[0], lines[len(lines)-1]
	owner := client.New(s.URL())
	must(t, owner.SignIn(ctx, "user1", traffic.Password))
	var issued struct{ Key string }
	must(t, owner.Do(ctx, "POST", "/devices/"+device+"/keys", map[string]any{}, &issued))
	if !isLetIn(ctx, s, leaked) || !isLetIn(ctx, s, issued.Key) {
		t.Error("the keys do not overlap")
	}
	begin := time.Now()
	id := strings.Split(leaked, "_")[1]
	command(t, bin, settings, "device", "revoke", device, id)
	took(t, "leak a key: a device's key is revoked after", time.Since(begin))
	return leaked, issued.Key
}

// isLetIn reports whether a device with this key is.
func isLetIn(ctx context.Context, s *node.Node, key string) bool {
	c := client.New(s.URL())
	c.Device(key)
	l := c.Live(ctx, client.LiveOptions{})
	defer l.Close()
	return l.Ready(ctx) == nil
}
