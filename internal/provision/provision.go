// Package provision brings devices that have no network yet into one: it speaks the provisioning of ESP-IDF
// (network_provisioning over protocomm, Security 1 and 2, SoftAP over HTTP) and Improv over a serial line, as the one
// who sets the device up; and it makes what is printed on their labels. It knows no server.
package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Errors of provisioning.
var (
	// ErrProof says that the proof of possession, or the password, is not that of the device: or it is another device.
	ErrProof = errors.New("the device refuses the proof of possession; compare it with the label")
	// ErrPassword says that the access point refused the password.
	ErrPassword = errors.New("the access point refuses the password")
	// ErrNoNetwork says that the device does not see the access point.
	ErrNoNetwork = errors.New("the device does not find the access point; it needs 2.4 GHz")
)

// Endpoint is the endpoint of our firmware that takes a Claim.
const Endpoint = "unhidra"

// MaxClaim is how many bytes a Claim may have as JSON: a body of protocomm has 4,096, with the tag of Security 2.
const MaxClaim = 4000

// A Claim is what a device is given besides the network: whose it becomes. It is JSON.
type Claim struct {
	Server string `json:"server"`       // as the firmware has it, such as wss://chat.example.org:443
	Token  string `json:"claim"`        // by which it gets its key
	CA     string `json:"ca,omitempty"` // certificates in PEM of the authorities that it trusts
}

// Target is where a device is to be.
type Target struct {
	SSID, Password string
	Claim          *Claim // nil: the network alone
}

// A Peer is a device with a session.
type Peer interface {
	// Call sends a body to an endpoint, both encrypted, and returns the answer.
	Call(ctx context.Context, endpoint string, body []byte) ([]byte, error)
}

// Provision gives a device its claim and then its network, and waits until it has joined that. pause waits between two
// questions.
func Provision(ctx context.Context, p Peer, t Target, pause func(context.Context) error) (ip string, err error) {
	if t.Claim != nil {
		if err := giveClaim(ctx, p, *t.Claim); err != nil {
			return "", err
		}
	}
	set := message{}.bytes(fieldSSID, []byte(t.SSID)).bytes(fieldPassphrase, []byte(t.Password))
	for _, step := range []struct {
		msg  uint64
		body message
		what string
	}{{msgSetConfig, set, "take the network"}, {msgApplyConfig, nil, "join the network"}} {
		answer, err := callConfig(ctx, p, step.msg, step.body)
		if err != nil {
			return "", err
		}
		if status := answer.number(fieldStatus); status != 0 {
			return "", fmt.Errorf("the device does not %s: status %d", step.what, status)
		}
	}
	for {
		if err := pause(ctx); err != nil {
			return "", err
		}
		answer, err := callConfig(ctx, p, msgGetStatus, nil)
		if err != nil {
			return "", err
		}
		if ip, done, err := joined(answer); done || err != nil {
			return ip, err
		}
	}
}

// Pause is the pause between two questions whether a device has joined.
func Pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Second):
		return nil
	}
}

func giveClaim(ctx context.Context, p Peer, c Claim) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if len(body) > MaxClaim {
		return fmt.Errorf("the claim has %d bytes, and may have %d: give fewer certificates", len(body), MaxClaim)
	}
	raw, err := p.Call(ctx, Endpoint, body)
	if err != nil {
		return fmt.Errorf("give the device its claim: %w", err)
	}
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the answer to the claim is not JSON: %w", err)
	}
	if !answer.OK {
		return fmt.Errorf("the device does not take the claim: %q", answer.Error)
	}
	return nil
}

// callConfig calls prov-config. Its bodies have the field 10 + msg, as their answers have.
func callConfig(ctx context.Context, p Peer, msg uint64, body message) (message, error) {
	raw, err := p.Call(ctx, "prov-config", message{}.with(fieldMsg, msg).bytes(configField(msg), body.encode()).encode())
	if err != nil {
		return nil, err
	}
	m, err := parse(raw)
	if err != nil {
		return nil, err
	}
	return m.message(configField(msg + 1))
}

func configField(msg uint64) int { return int(10 + msg) }

// joined reads the answer to a question for the status. One that failed says nothing of the network.
func joined(answer message) (ip string, done bool, err error) {
	if status := answer.number(fieldStatus); status != 0 {
		return "", false, fmt.Errorf("the device does not say whether it has joined: status %d", status)
	}
	switch answer.number(fieldStationState) {
	case stationConnected:
		connected, err := answer.message(fieldConnected)
		return string(connected.get(fieldIP)), true, err
	case stationFailed:
		if answer.number(fieldFailReason) == 0 {
			return "", false, ErrPassword
		}
		return "", false, ErrNoNetwork
	}
	return "", false, nil
}

// A Network is an access point that a device sees.
type Network struct {
	SSID    string
	Channel int
	RSSI    int // dBm
	Open    bool
}

// scanPart is how many networks an answer may have: answers of Bluetooth are short.
const scanPart = 4

// Scan asks a device what access points it sees.
func Scan(ctx context.Context, p Peer) ([]Network, error) {
	call := func(msg uint64, body message) (message, error) {
		raw, err := p.Call(ctx, "prov-scan", message{}.with(fieldMsg, msg).bytes(configField(msg), body.encode()).encode())
		if err != nil {
			return nil, err
		}
		m, err := parse(raw)
		if err == nil && m.number(fieldScanStatus) != 0 {
			err = fmt.Errorf("the device cannot scan: status %d", m.number(fieldScanStatus))
		}
		if err != nil {
			return nil, err
		}
		return m.message(configField(msg + 1))
	}
	// In groups of 5 channels, so that the device's own access point goes on meanwhile; 120 ms each.
	start := message{}.with(1, 1).with(3, 5).with(4, 120)
	if _, err := call(msgScanStart, start); err != nil {
		return nil, err
	}
	status, err := call(msgScanStatus, nil)
	if err != nil {
		return nil, err
	}
	count := min(status.number(2), 64)
	var found []Network
	for at := uint64(0); at < count; at += scanPart {
		part, err := call(msgScanResult, message{}.with(1, at).with(2, min(scanPart, count-at)))
		if err != nil {
			return nil, err
		}
		for _, raw := range part.all(1) {
			entry, err := parse(raw)
			if err != nil {
				return nil, err
			}
			found = append(found, Network{string(entry.get(1)), int(entry.number(2)), int(int32(entry.number(3))),
				entry.number(5) == 0})
		}
	}
	return found, nil
}
