package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startNATS starts a cluster of three NATS servers in a process of their own, so
// that their cost is seen apart, and returns how nodes reach it.
func startNATS() (*process, string, error) {
	addrs := []string{freeAddr(), freeAddr(), freeAddr()}
	p, err := self("nats", strings.Join(addrs, ","))
	if err != nil {
		return nil, "", err
	}
	t := &target{name: "NATS", addrs: addrs, servers: []*process{p}}
	return p, "nats://" + strings.Join(addrs, ",nats://"), t.await()
}

func runNATS(ctx context.Context, addrs string, log io.Writer) error {
	var routes []*url.URL
	var clusters []int
	for range 3 {
		_, port, _ := net.SplitHostPort(freeAddr())
		n, _ := strconv.Atoi(port)
		clusters = append(clusters, n)
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", port)})
	}
	for i, addr := range strings.Split(addrs, ",") {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			return err
		}
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("nats-", i), Host: "127.0.0.1", Port: n, NoLog: true, NoSigs: true, Routes: routes,
			Cluster: server.ClusterOpts{Name: "bench", Host: "127.0.0.1", Port: clusters[i]},
		})
		if err != nil {
			return err
		}
		go s.Start()
		if !s.ReadyForConnections(30 * time.Second) {
			return fmt.Errorf("NATS server %d does not start", i)
		}
	}
	fmt.Fprintln(log, "ready")
	<-ctx.Done()
	return nil
}
