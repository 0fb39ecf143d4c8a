// Package natstest starts NATS servers for tests, in the test's own process and
// on free ports of the loopback: one, or a cluster.
package natstest

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const patience = 2 * time.Minute

// A Server is a NATS server. Stopped, it can be started again on its ports.
type Server struct {
	tb      testing.TB
	options server.Options
	running *server.Server
}

// Start starts a server that ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return StartWith(tb, server.Options{})
}

// StartWith is Start with some options of the server's own.
func StartWith(tb testing.TB, o server.Options) *Server {
	tb.Helper()
	o.Host, o.NoLog, o.NoSigs = "127.0.0.1", true, true
	o.LameDuckGracePeriod, o.LameDuckDuration = 2*time.Second, 3*time.Second
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s := &Server{tb: tb, options: o}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

// Cluster starts n servers that know each other.
func Cluster(tb testing.TB, n int) []*Server {
	tb.Helper()
	ports := make([]int, n)
	var routes []*url.URL
	for i := range ports {
		ports[i] = freePort(tb)
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[i]))})
	}
	all := make([]*Server, n)
	for i := range all {
		all[i] = StartWith(tb, server.Options{
			ServerName: fmt.Sprint("nats-", i), Routes: routes,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
		})
	}
	deadline := time.Now().Add(patience)
	for _, s := range all {
		for s.running.NumRoutes() < n-1 {
			if time.Now().After(deadline) {
				tb.Fatal("the NATS servers do not form a cluster")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return all
}

// URLs joins the addresses of servers, as NATS_URL has them.
func URLs(servers ...*Server) string {
	urls := make([]string, len(servers))
	for i, s := range servers {
		urls[i] = s.URL()
	}
	return strings.Join(urls, ",")
}

// URL returns where clients connect.
func (s *Server) URL() string {
	return "nats://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port))
}

// Start starts a server that was stopped.
func (s *Server) Start() {
	s.tb.Helper()
	options := s.options // the server keeps and changes its own
	running, err := server.NewServer(&options)
	if err != nil {
		s.tb.Fatalf("start a NATS server: %v", err)
	}
	go running.Start()
	if !running.ReadyForConnections(patience) {
		s.tb.Fatal("the NATS server does not start")
	}
	s.running = running
	s.options.Port = running.Addr().(*net.TCPAddr).Port
}

// Stop ends the server at once, as a crash does.
func (s *Server) Stop() {
	if s.running != nil {
		s.running.Shutdown()
		s.running.WaitForShutdown()
		s.running = nil
	}
}

// Retire ends the server as an operator does: its clients are told, and then
// sent away one by one. It returns at once.
func (s *Server) Retire() {
	running := s.running
	s.running = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		running.LameDuckShutdown()
	}()
	s.tb.Cleanup(func() { <-done })
}

// Clients returns how many are connected.
func (s *Server) Clients() int {
	if s.running == nil {
		return 0
	}
	return s.running.NumClients()
}

// freePort finds a port that was free a moment ago: servers of a cluster must know
// each other's before they start.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
