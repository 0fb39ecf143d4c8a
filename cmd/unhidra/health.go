package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/config"
)

const healthText = `health [flags]

Checks whether the server on this machine is ready for requests, and fails if it is
not. It finds the server by the same settings as serve. Use it as the health check
of a container.
`

func health(ctx context.Context, e *env, args []string) error {
	set := e.flags("health", healthText)
	flags := config.NewFlags(set, "operator-addr", "bind", "port", "roles", "auth-addr")
	if _, err := parse(set, args); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	addr := c.OperatorAddr
	switch {
	case addr != "":
	case c.Has(config.RoleGateway):
		addr = net.JoinHostPort(c.BindAddr, strconv.Itoa(c.GatewayPort))
	case c.AuthAddr != "":
		addr = c.AuthAddr
	default:
		return errors.New("this server has no listener to check; set UNHIDRA_OPERATOR_ADDR")
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	if !asks(ctx, addr, "/ready") {
		return fmt.Errorf("no server takes requests on %s", addr)
	}
	fmt.Fprintln(e.stdout, "ready")
	return nil
}
