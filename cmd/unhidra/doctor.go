package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/fileaccess"
)

const doctorText = `doctor [flags]

Checks the configuration, the data folder and its owner, the disk, the clock, the
certificate, the mail server, the ports, the public address, the database, the files
that people sent, late mails, audit records and backups, and NATS, and says how to fix
each problem. It changes nothing, and may be used while the server runs. It fails if
something is broken; warnings do not count.
`

// A diagnosis collects the findings of the doctor.
type diagnosis struct {
	w      io.Writer
	broken int
}

func (d *diagnosis) ok(what, format string, args ...any) { d.say("ok", what, format, args...) }
func (d *diagnosis) warn(what, format string, args ...any) {
	d.say("warn", what, format, args...)
}
func (d *diagnosis) fail(what, format string, args ...any) {
	d.broken++
	d.say("FAIL", what, format, args...)
}

func (d *diagnosis) say(grade, what, format string, args ...any) {
	_, _ = fmt.Fprintf(d.w, "%-4s  %-13s %s\n", grade, what, fmt.Sprintf(format, args...))
}

func doctor(ctx context.Context, e *env, args []string) error {
	set := e.flags("doctor", doctorText)
	flags := config.NewFlags(set)
	if _, err := parse(set, args); err != nil {
		return err
	}
	d := &diagnosis{w: e.stdout}
	c, err := d.load(e.environ, flags)
	if err != nil {
		return err
	}
	d.settings(c)
	d.folder(c)
	d.secret(c)
	d.owners(c)
	d.leftovers(c)
	d.auditFile(c)
	d.disk(c)
	d.clock(c)
	d.files()
	d.certificate(ctx, c)
	d.deviceCA(c.DeviceCA, time.Now())
	d.mail(ctx, c)
	running := d.ports(ctx, c)
	if running {
		d.public(ctx, c)
	}
	d.store(ctx, c, running)
	d.bus(c)
	if d.broken > 0 {
		return fmt.Errorf("%s failed", count(d.broken, "check"))
	}
	return nil
}

// load loads the settings, and reports each that is invalid.
func (d *diagnosis) load(environ []string, flags config.Flags) (config.Config, error) {
	c, err := config.Load(environ, flags)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			d.fail("configuration", "%s", strings.TrimSpace(line))
		}
		return c, fmt.Errorf("version %s rejects %d of the settings; nothing else was checked", version(), d.broken)
	}
	d.ok("configuration", "version %s accepts all settings", version())
	return c, nil
}

// settings warns of settings that are valid but rarely intended.
func (d *diagnosis) settings(c config.Config) {
	if strings.HasPrefix(c.PublicURL, "https:") && !c.TLS.Enabled() && len(c.TrustedProxies) == 0 {
		d.warn("proxies", "UNHIDRA_PUBLIC_URL is https, so a proxy is in front; name it in UNHIDRA_TRUSTED_PROXIES, or "+
			"every client has the proxy's address and all share one limit")
	}
	if c.OpenToAll() {
		d.warn("open to all", "anybody who reaches this machine may register (UNHIDRA_REGISTRATION), and what people send "+
			"crosses the network in the clear; use https, or UNHIDRA_BIND_ADDR=127.0.0.1")
	}
	if u, err := url.Parse(c.URL()); err == nil && u.Hostname() == "localhost" && c.BindAddr == "" {
		d.warn("public URL", "links in mails and invitations lead to %s, which works on this machine alone; set "+
			"UNHIDRA_PUBLIC_URL to what other machines reach it by", c.URL())
	}
	host, _, err := net.SplitHostPort(c.OperatorAddr)
	if ip := net.ParseIP(host); err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		d.warn("operator", "UNHIDRA_OPERATOR_ADDR is open beyond this machine; it shows everything and asks for no "+
			"password, so a firewall must be in front of it")
	}
}

func (d *diagnosis) folder(c config.Config) {
	info, err := os.Stat(c.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("data folder", "%s is created at the first start", c.DataDir)
		return
	case err != nil:
		d.fail("data folder", "%v", err)
		return
	case !info.IsDir():
		d.fail("data folder", "%s is not a folder; name another by UNHIDRA_DATA_DIR", c.DataDir)
		return
	}
	f, err := os.CreateTemp(c.DataDir, "doctor-*.tmp")
	if err != nil {
		d.fail("data folder", "cannot write in %s; give it to the user that the server runs as: %v", c.DataDir, err)
		return
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	d.ok("data folder", "%s can be written", c.DataDir)
}

func (d *diagnosis) secret(c config.Config) {
	if c.ServerKey != "" {
		d.ok("server's key", "given by UNHIDRA_SERVER_KEY")
		return
	}
	info, err := os.Stat(c.KeyFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(c.Database()); c.DatabaseURL == "" && errors.Is(err, fs.ErrNotExist) {
			d.ok("server's key", "is created at the first start")
		} // otherwise the database shows whether it was used with one
	case err != nil:
		d.fail("server's key", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		d.fail("server's key", "others on this machine can read %s and sign in as anyone; run: chmod 600 %s", c.KeyFile(),
			c.KeyFile())
	default:
		if _, err := app.ServerKey(c); err != nil {
			d.fail("server's key", "%v", err)
			return
		}
		d.ok("server's key", "%s is yours alone", c.KeyFile())
	}
}

// owners reports files whose owner differs from the data folder's: root created them by a command,
// and the server may not be able to use them. For users other than root such files are unusable.
func (d *diagnosis) owners(c config.Config) {
	of, ok := owner(c.DataDir)
	if !ok {
		return
	}
	files, err := os.ReadDir(c.DataDir)
	if err != nil {
		d.fail("owners", "%v", err)
		return
	}
	for _, f := range files {
		path := filepath.Join(c.DataDir, f.Name())
		if other, ok := owner(path); ok && other != of {
			d.fail("owners", "%s belongs to another user than its folder, who runs the server; run: chown -R %d %s", path, of,
				c.DataDir)
		}
	}
}

// leftovers reports what backups and restores have left whose process was killed. Each may be as
// large as the database.
func (d *diagnosis) leftovers(c config.Config) {
	folders := []string{filepath.Dir(c.Database())}
	if c.Backup.Dir != "" {
		folders = append(folders, c.Backup.Dir)
	}
	for _, dir := range folders {
		files, _ := os.ReadDir(dir) // other checks tell of a folder that cannot be read
		for _, f := range files {
			if strings.HasPrefix(f.Name(), restoring) || strings.HasPrefix(f.Name(), backup.Temporary) {
				d.warn("leftover", "a backup or restore that was killed left %s, unless one is running; delete it",
					filepath.Join(dir, f.Name()))
			}
		}
	}
}

func (d *diagnosis) auditFile(c config.Config) {
	if c.Audit.Log == "" {
		return
	}
	err := audit.CheckFile(c.Audit.Log)
	switch {
	case errors.Is(err, fs.ErrPermission):
		d.fail("audit log", "nothing would be written to UNHIDRA_AUDIT_LOG: %v", fileaccess.Denied(c.Audit.Log, err))
	case err != nil:
		d.fail("audit log", "nothing would be written to UNHIDRA_AUDIT_LOG: %v", err)
	default:
		d.ok("audit log", "%s can be written", c.Audit.Log)
	}
}

func (d *diagnosis) disk(c config.Config) {
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		d.fail("disk", "%v", err)
		return
	}
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir) // the folder is created later, on this disk
	}
	use, err := disk.Use(dir)
	switch {
	case err != nil:
		d.warn("disk", "cannot read the free disk space: %v", err)
	case disk.Full(use):
		d.fail("disk", "%s are free; free up space, or nothing new is accepted soon", disk.Size(use.Free))
	case disk.Low(use):
		d.warn("disk", "only %s are free", disk.Size(use.Free))
	default:
		d.ok("disk", "%s are free", disk.Size(use.Free))
	}
}

// released returns a time that is in the past on every correct clock.
func released() time.Time { return time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) }

func (d *diagnosis) clock(c config.Config) {
	now := time.Now()
	if now.Before(released()) {
		d.fail("clock", "it says %s, which is in the past; set the clock, or sessions and invitations expire at the "+
			"wrong time",
			now.Format(time.RFC3339))
		return
	}
	// A data folder on another machine has that machine's time.
	if info, err := os.Stat(c.Database()); err == nil && info.ModTime().After(now.Add(time.Minute)) {
		d.fail("clock", "the database was written at %s, which is in the future; set the clock of this machine",
			info.ModTime().Format(time.RFC3339))
		return
	}
	d.ok("clock", "%s", now.UTC().Format(time.RFC3339))
}

const fewFiles = 4096

func (d *diagnosis) files() {
	n, err := openFiles()
	switch {
	case err != nil:
		d.warn("open files", "cannot read the limit: %v", err)
	case n < fewFiles:
		d.warn("open files", "only %d are allowed, and each connection is one; raise the limit (ulimit -n, LimitNOFILE)", n)
	default:
		d.ok("open files", "%d are allowed", n)
	}
}

// ports checks the ports, and reports whether this server runs on the public one.
func (d *diagnosis) ports(ctx context.Context, c config.Config) (running bool) {
	public := net.JoinHostPort(c.BindAddr, strconv.Itoa(c.GatewayPort))
	for _, p := range []struct{ addr, setting string }{{public, "GATEWAY_PORT"}, {c.AuthAddr, "AUTH_BIND_ADDR"},
		{c.OperatorAddr, "UNHIDRA_OPERATOR_ADDR"}, {c.TLS.HTTPAddr, "UNHIDRA_HTTP_ADDR"}} {
		if p.addr == "" {
			continue
		}
		l, err := app.Listen(ctx, p.addr, p.setting)
		switch {
		case err == nil:
			_ = l.Close()
			d.ok("port", "%s (%s) is free", p.addr, p.setting)
		case healthy(ctx, p.addr):
			running = true
			d.ok("port", "%s (%s): the server runs there", p.addr, p.setting)
		default:
			d.fail("port", "%v", err)
		}
	}
	return running
}

// healthy reports whether a server on this machine is healthy.
func healthy(ctx context.Context, addr string) bool { return asks(ctx, addr, "/health") }

// local returns how a listener of this machine is reached from it.
func local(addr string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return host, port, err
}

// asks reports whether a server on this machine responds to path with 200.
func asks(ctx context.Context, addr, path string) bool {
	host, port, err := local(addr)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	return answers(ctx, "http://"+net.JoinHostPort(host, port)+path) ||
		answers(ctx, "https://"+net.JoinHostPort(host, port)+path)
}

// answers reports whether an Unhidra server is at url. It accepts any certificate, because it only
// identifies the server.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr, Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK && res.Header.Get("Content-Type") == "application/json"
}

func (d *diagnosis) store(ctx context.Context, c config.Config, running bool) {
	if c.DatabaseURL == "" {
		if err := app.CheckLost(c); err != nil {
			d.fail("database", "%v", err)
			return
		}
		if _, err := os.Stat(c.Database()); errors.Is(err, fs.ErrNotExist) {
			d.ok("database", "%s is created at the first start", c.Database())
			return
		}
		if unlock, err := app.LockStore(c); err == nil {
			unlock()
		} else if errors.Is(err, fs.ErrPermission) {
			d.fail("database", "%v", err)
			return
		} else if !running {
			d.warn("database", "a server is using it, but none answers on the ports: %v", err)
		}
	}
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: obs.NewLogger(d.w, "error", "text"), Tool: true,
		NoMigrate: true})
	if err != nil {
		d.fail("database", "%v", err)
		return
	}
	defer db.Close()
	if err := db.Check(ctx); err != nil {
		d.fail("database", "%v", err)
		return
	}
	d.ok("database", "%s is intact and up to date", db.Name())
	d.readings(ctx, c, db)
	if err := app.CheckKey(ctx, db, c); err != nil {
		d.fail("server's key", "%v", err)
	}
	d.blobs(ctx, c, db)
	d.late(ctx, c, db, running)
}

// bus checks the NATS servers that connect this node with others.
func (d *diagnosis) bus(c config.Config) {
	if c.NATS.Servers == "" {
		return
	}
	version, err := app.CheckBus(c)
	if err != nil {
		d.fail("bus", "cannot connect to a NATS server, so that this node hears of others seconds late; check "+
			"NATS_URL, and that the servers run: %v", err)
		return
	}
	d.supported("bus", app.NATS(), version, "connected to a NATS server: ")
}
