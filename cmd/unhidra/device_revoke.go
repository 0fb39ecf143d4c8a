package main

import (
	"context"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
)

// Servers close connections within a second or two, and tell the store.
const (
	disconnected = 30 * time.Second
	lookAgain    = 200 * time.Millisecond
)

// revokeKeys revokes all keys of the devices of a group or a product, and waits until none is connected; without sure
// it only counts them.
func (d *devices) revokeKeys(ctx context.Context, owner, name string, product, sure bool) error {
	u, err := d.db.Accounts.UserByUsername(ctx, owner)
	if err != nil {
		return err
	}
	of := device.Choice{Owner: u.ID, Group: name}
	if product {
		of = device.Choice{Owner: u.ID, Product: name}
	}
	n, err := d.service.CountKeys(ctx, of)
	if err != nil {
		return err
	}
	if n.Devices == 0 {
		return fmt.Errorf("no device there has a key that is good; %d are connected", n.Connected)
	}
	if !sure {
		_, err = fmt.Fprintf(d.stdout, "%s with %s, of which %d are connected. To revoke all these keys, add --yes.\n",
			count(n.Devices, "device"), count(n.Keys, "key"), n.Connected)
		return err
	}
	if n, err = d.service.RevokeKeys(ctx, domain.AuditActor{Kind: domain.ActorOperator}, of, n.Devices); err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "%s of %s: revoked\n", count(n.Keys, "key"), count(n.Devices, "device"))
	if err != nil {
		return err
	}
	return d.awaitDisconnected(ctx, of)
}

// awaitDisconnected says when no device of a choice is connected any more.
func (d *devices) awaitDisconnected(ctx context.Context, of device.Choice) error {
	begin := time.Now()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		n, err := d.service.CountKeys(ctx, of)
		if err != nil {
			return err
		}
		if n.Connected == 0 {
			_, err = fmt.Fprintln(d.stdout, "none of them is connected")
			return err
		}
		if time.Since(begin) > disconnected {
			return fmt.Errorf("%s still seem to be connected; is a server running? They may also have been given other keys",
				count(n.Connected, "device"))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
