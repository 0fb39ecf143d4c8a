// Package app is the composition root: it opens the store and the bus, builds
// the modules that the roles of this process ask for, joins them, and starts and
// stops them in order. It decides nothing else.
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/guest"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/readings"
	"github.com/unhidra/unhidra/internal/telemetry"
	"github.com/unhidra/unhidra/internal/token"
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/web"
)

// Options are what Run needs beside the configuration.
type Options struct {
	Config  config.Config
	Version string
	Log     *slog.Logger
	Out     io.Writer   // for what a person should read at the start; nil: nobody
	Ready   func(Addrs) // called once the server takes requests; may be nil
	// Consumers are told of every event that is committed, beside those of the server.
	Consumers []feed.Consumer[domain.Event]
	Passwords password.Options // how they are hashed; zero: as a server does
}

// Addrs are the addresses that the server is reached at.
type Addrs struct {
	URL      string // of the web client, without a slash at the end
	Public   string // host:port of each listener; empty: not open
	Auth     string
	Operator string
	MQTT     string
	MQTTS    string // MQTT with TLS
	Redirect string // of the plain listener beside a TLS one
	Setup    string // link for the first administrator; empty: there is one
}

// LockStore takes the lock that a server holds on its SQLite file, for commands
// that must not run beside one.
func LockStore(c config.Config) (unlock func(), err error) { return store.Lock(c.Database()) }

// StoreOptions say how OpenStore opens.
type StoreOptions struct {
	Log       *slog.Logger
	Tool      bool // beside a running server
	NoMigrate bool
}

// OpenStore opens the database that c names. Without one it makes a new one, but where
// the server's key says that there was one.
func OpenStore(ctx context.Context, c config.Config, o StoreOptions) (*all.Store, error) {
	if c.DatabaseURL == "" {
		if err := CheckLost(c); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(c.Database()), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the database (UNHIDRA_DATA_DIR): %w", err)
		}
	}
	return all.Open(ctx, storeOptions(c, o))
}

func storeOptions(c config.Config, o StoreOptions) store.Options {
	return store.Options{
		Path: c.Database(), URL: c.DatabaseURL.Reveal(), Log: o.Log, Tool: o.Tool, NoMigrate: o.NoMigrate,
		Rooms: domain.RoomLimits{
			PerUser: c.RoomsPerUser, Members: c.RoomMembers, Created: c.RoomsCreated,
			Requests: domain.RequestPolicy(c.RoomRequests),
		},
	}
}

const (
	startTimeout = time.Minute // how long a start waits for a database that is away
	startRetry   = time.Second
)

// Run runs a server until ctx is done, and stops it in order: listeners close,
// connections are drained, and what was accepted is committed. A PostgreSQL that is
// away while the server starts is waited for, a minute long.
func Run(ctx context.Context, o Options) error {
	logs := newLogs(o)
	o.Log = logs.Part("server")
	begin, started, ready := time.Now(), false, o.Ready
	o.Ready = func(a Addrs) {
		started = true
		if ready != nil {
			ready(a)
		}
	}
	for waits := false; ; waits = true {
		err := run(ctx, o, logs)
		if started || domain.CodeOf(err) != domain.CodeStoreUnavailable || time.Since(begin) > startTimeout {
			return err
		}
		if !waits {
			o.Log.WarnContext(ctx, "cannot start while the database is away; will try again",
				"for", startTimeout, "err", err)
		}
		select {
		case <-time.After(startRetry):
		case <-ctx.Done():
			return err
		}
	}
}

func run(ctx context.Context, o Options, logs *obs.Logs) (err error) {
	begin := time.Now()
	var reserve *disk.Reserve
	if c := o.Config; c.DiskReserve > 0 && c.DatabaseURL == "" { // PostgreSQL's disk is elsewhere
		reserve = disk.NewReserve(c.Database(), int64(c.DiskReserve)<<20, logs.Part("disk"))
		reserve.Release() // a start writes
	}
	db, err := OpenStore(ctx, o.Config, StoreOptions{Log: logs.Part("store")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	readings, err := OpenReadings(ctx, db, o.Config, StoreOptions{Log: logs.Part("store")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, readings.End()) }()
	if err := db.LockInstance(ctx, o.Config.NATS.Servers != ""); err != nil {
		return err
	}
	if o.Config.ServerKey == "" {
		store.Restrict(logs.Part("store"), o.Config.KeyFile())
	}
	s := &server{
		Options: o, logs: logs, db: db, readings: readings, reserve: reserve, reg: obs.NewRegistry(o.Version),
		health: &obs.Health{}, started: begin,
	}
	logs.Watch(s.reg)
	s.run("log", logs.Run)
	s.health.Check("store", db.Ping)
	s.health.Check("readings", readings.Ping)
	if reserve != nil {
		s.health.Check("disk", reserve.CheckWritable)
		s.health.Hint("disk", reserve.CheckFree)
		s.run("disk", reserve.Run)
	}
	disk.Watch(s.reg, o.Config.DataDir)
	defer s.closeListeners()
	defer s.closeBus()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.handlers(); err != nil {
		return err
	}
	s.announce(ctx, begin)
	ctx, done := s.untilDrain(ctx)
	defer done()
	return runComponents(ctx, o.Log, s.components, o.Config.ShutdownTimeout)
}

// untilDrain returns a context that ends a while after ctx: until then the server
// says that it is not ready, and goes on serving those who have not heard.
func (s *server) untilDrain(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		s.health.SetReady(false)
		if s.Config.DrainDelay > 0 {
			s.Log.InfoContext(ctx, "not ready any more; stopping soon",
				"because", context.Cause(ctx), "in", s.Config.DrainDelay)
		}
		time.AfterFunc(s.Config.DrainDelay, func() { end(context.Cause(ctx)) })
	})
	return longer, func() { stop(); end(nil) }
}

// A server is a process under construction.
type server struct {
	Options
	logs       *obs.Logs
	db         *all.Store
	readings   *readings.Repository
	reserve    *disk.Reserve // nil: there is none
	keys       *token.Keyring
	bus        bus.Bus
	tracer     *trace.Tracer // nil: off
	node       string        // name of this process among those with the same store
	reg        *prometheus.Registry
	health     *obs.Health
	addrs      Addrs
	started    time.Time
	modules    modules
	feed       feed.Deps[domain.Event] // what was committed
	files      *blob.Service           // what people and devices send that is no message
	appended   feed.Signal             // wakes the feed
	limits     httpx.Limits            // of the REST API, on all listeners together
	components []component             // in the order in which they start

	certs     certs.Source   // nil: plain http
	deviceCA  *x509.CertPool // of devices' certificates; nil: they have none
	mqttCerts certs.Source   // for MQTT alone; nil: as certs

	public, auth, operator, plain, mqtt, mqtts net.Listener
}

// open reads the keys and certificates and opens the listeners, before anything runs that
// they would serve.
func (s *server) open(ctx context.Context) (err error) {
	c := s.Config
	if s.keys, err = Keyring(c); err != nil {
		return err
	}
	if err := checkKey(ctx, s.db, s.keys); err != nil {
		return err
	}
	if err := errors.Join(s.openFiles(), s.openDeviceCA()); err != nil {
		return err
	}
	if c.Has(config.RoleGateway) {
		addr := net.JoinHostPort(c.BindAddr, strconv.Itoa(c.GatewayPort))
		if s.public, err = Listen(ctx, addr, "GATEWAY_PORT"); err != nil {
			return err
		}
		s.addrs.Public = s.public.Addr().String()
	}
	if c.AuthAddr != "" && c.Has(config.RoleAuth) {
		if s.auth, err = Listen(ctx, c.AuthAddr, "AUTH_BIND_ADDR"); err != nil {
			return err
		}
		s.addrs.Auth = s.auth.Addr().String()
	}
	if c.OperatorAddr != "" {
		if s.operator, err = Listen(ctx, c.OperatorAddr, "UNHIDRA_OPERATOR_ADDR"); err != nil {
			return err
		}
		s.addrs.Operator = s.operator.Addr().String()
	}
	if c.TLS.HTTPAddr != "" {
		if s.plain, err = Listen(ctx, c.TLS.HTTPAddr, "UNHIDRA_HTTP_ADDR"); err != nil {
			return err
		}
		s.addrs.Redirect = s.plain.Addr().String()
	}
	if err := s.openMQTT(ctx); err != nil {
		return err
	}
	if s.public != nil {
		c.GatewayPort = port(s.public) // may have been left to the system
	}
	s.addrs.URL = c.URL()
	return s.openACME()
}

// closeListeners closes those that no component has taken over.
func (s *server) closeListeners() {
	for _, l := range []net.Listener{s.public, s.auth, s.operator, s.plain, s.mqtt, s.mqtts} {
		if l != nil {
			_ = l.Close() // closed already, where a component had it
		}
	}
}

// handlers builds what the listeners serve. They are the last components to start
// and the first to stop.
func (s *server) handlers() error {
	if s.operator != nil {
		h := operator(s.reg, s.health, s.modules.serveStats, s.logLevels())
		s.run("operator", s.serve("operator", s.operator, nil, onlyHosts(s.Config.OperatorHosts, s.withModels(httpx.Bound(h)))))
	}
	if s.certs != nil {
		s.run("certificates", s.certs.Run)
	}
	if s.plain != nil {
		h := s.certs.Challenge(redirect(s.addrs.URL, s.health.ServeHealth))
		s.run("http", s.serve("http", s.behindProxy(s.plain, s.Config.TLS.ProxyProtocol), nil, httpx.Bound(h)))
	}
	if s.auth != nil {
		mux := http.NewServeMux()
		api := httpx.New(mux, s.api())
		s.modules.auth.Routes(api)
		mux.HandleFunc("GET "+auth.KeysPath, s.modules.auth.ServeKeys)
		if err := s.listener("auth", s.auth, mux, nil); err != nil {
			return err
		}
	}
	s.serveMQTT()
	if s.public == nil {
		return nil
	}
	mux := http.NewServeMux()
	s.modules.routes(httpx.New(mux, s.api()), s.Config)
	mux.Handle("GET /ws", s.modules.gateway)
	mux.Handle("GET /mqtt", s.modules.mqtt)
	mux.HandleFunc("GET "+httpx.ImagePath+"{sha256}", s.modules.firmware.ServeImage)
	s.modules.files.Handle(mux)
	s.modules.webhook.Handle(mux)
	mux.HandleFunc("GET "+httpx.OTAPath+"{file}", s.modules.ota.Serve)
	s.modules.ota.HandleDDI(mux)
	mux.Handle(telemetry.PrometheusPath+"/", s.modules.telemetry.ServePrometheus())
	if s.Config.Has(config.RoleAuth) {
		mux.HandleFunc("GET "+auth.KeysPath, s.modules.auth.ServeKeys)
	}
	client, err := httpx.Static(web.FS())
	if err != nil {
		return err
	}
	return s.listener("public", s.public, mux, client)
}

func (s *server) api() httpx.Options {
	return httpx.Options{Name: s.Config.Name, Version: s.Version, Auth: s.modules.auth, Bots: s.modules.bot,
		Limits: s.limits, May: guest.May, Log: s.logs.Part("http")}
}

func (s *server) listener(name string, l net.Listener, mux *http.ServeMux, fallback http.Handler) error {
	mux.HandleFunc("GET /health", s.health.ServeHealth)
	mux.HandleFunc("GET /ready", s.health.ServeReady)
	origins := append([]string{s.addrs.URL}, s.Config.AllowedOrigins...)
	h, err := httpx.Handler(mux, httpx.HandlerOptions{
		Log: s.logs.Part("http"), Metrics: s.reg, Listener: name, Proxies: s.Config.TrustedProxies,
		Origins: origins, Partners: partners(s.modules.captcha),
		Fallback: fallback, MaxConcurrent: requestsAtOnce, MaxPerAddr: s.Config.RequestsPerAddr,
		Wide: s.Config.TLS.Subdomains, Trace: s.tracer,
	})
	if err != nil {
		return err
	}
	s.run(name, s.serve(name, s.behindProxy(l, s.Config.TLS.ProxyProtocol), s.tls(), h))
	return nil
}

// openToAll is what an operator should know who has set nothing.
const openToAll = "anybody who reaches this machine may register, " +
	"and what people send crosses the network for all to read; " +
	"for a trial set UNHIDRA_BIND_ADDR=127.0.0.1, and to go on UNHIDRA_REGISTRATION=invite and https " +
	"(UNHIDRA_ACME_DOMAINS, or a proxy and UNHIDRA_PUBLIC_URL)"

// announce says that the server is there, and how to begin. The listeners are
// open: who comes before they are served waits for a moment.
func (s *server) announce(ctx context.Context, begin time.Time) {
	setup, err := s.modules.auth.SetupLink(ctx, s.addrs.URL)
	if err != nil {
		s.Log.ErrorContext(ctx, "cannot make the setup link", "err", err)
	}
	s.addrs.Setup = setup
	s.health.SetReady(true)
	s.Log.InfoContext(ctx, "ready",
		"version", s.Version, "url", s.addrs.URL, "public", s.addrs.Public, "auth", s.addrs.Auth,
		"operator", s.addrs.Operator, "mqtt", s.addrs.MQTT, "mqtts", s.addrs.MQTTS, "store", s.db.Name(),
		"took", time.Since(begin))
	if s.Config.OpenToAll() {
		s.Log.WarnContext(ctx, openToAll)
	}
	if s.Out != nil {
		_, _ = fmt.Fprintf(s.Out, "\n%s is on %s\n", s.Config.Name, s.addrs.URL)
		if setup != "" {
			_, _ = fmt.Fprintf(s.Out, "\nThere is no administrator yet. "+
				"Open this link within an hour to become the first:\n\n    %s\n", setup)
		}
		_, _ = fmt.Fprintln(s.Out)
	}
	s.Ready(s.addrs)
}
