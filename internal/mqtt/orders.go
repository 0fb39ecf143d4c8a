package mqtt

import (
	"context"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// Orders tells devices to do something.
type Orders interface {
	Give(ctx context.Context, p domain.Principal, n domain.NewCommand) (domain.Command, error)
}

// onOrder gives a device the command that a controller has published, in the name of the owner.
func (c *conn) onOrder(ctx context.Context, m *message) (packet.Code, error) {
	device, rest, _ := ownDevice(m.topic)
	n := domain.NewCommand{Device: device, Action: strings.TrimPrefix(rest, topicSet), Key: domain.NewID("order")}
	who := c.who
	if who.Kind == domain.KindDevice {
		n.Via = who.ID
		who = domain.Principal{ID: c.who.Owner, Kind: domain.KindUser, Role: domain.SystemUser}
	}
	can, err := c.s.Describer.Capabilities(ctx, device)
	if err != nil {
		return packet.Success, err
	}
	if a, ok := can.Actuator(n.Action); ok { // else Give says what is wrong
		if a.Destructive {
			return c.codeOf(ctx, m, domain.Conflict.Errorf(domain.CodeConfirm,
				"%s is destructive: controllers cannot do it; use the web client", a.Name))
		}
		if n.Args, err = discovery.Args(a, string(m.payload)); err != nil {
			return c.codeOf(ctx, m, err)
		}
	}
	_, err = c.s.Orders.Give(ctx, who, n)
	return c.codeOf(ctx, m, err)
}
