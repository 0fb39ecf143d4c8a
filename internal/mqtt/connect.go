package mqtt

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

const (
	maxClientID    = 128  // bytes
	maxKeepAlive   = 3600 // seconds, that MQTT 5 clients are told if they want more or none
	receiveMaximum = 64   // messages that a client may have under way
	maxAliases     = 16
)

// take serves a connection that was accepted, or closes it. It returns when the client is connected. fed is what gives
// nc its bytes, if it is TLS; nil: it reads its socket itself.
func (s *Service) take(ctx context.Context, nc net.Conn, fed *feed, addr netip.Addr, transport string) {
	s.mu.Lock()
	ok := !s.draining && s.open.Acquire(addr)
	if !ok {
		s.mu.Unlock()
		s.metrics.connects.WithLabelValues("limit").Inc()
		_ = nc.Close()
		return
	}
	c := &conn{s: s, nc: nc, feed: fed, addr: addr, transport: transport, id: domain.NewID(domain.ConnPrefix)}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	c.heard.Store(s.Now().UnixNano())
	if raw, ok := nc.(syscall.Conn); ok {
		if raw, err := raw.SyscallConn(); err == nil {
			c.raw = raw
			c.readReady = c.readNow
		}
	}
	c.handshake(c.context(ctx))
}

// release undoes take.
func (s *Service) release(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open.Release(c.addr)
	delete(s.conns, c)
	if c.sess != nil {
		if s.users[c.who.ID]--; s.users[c.who.ID] <= 0 {
			delete(s.users, c.who.ID)
		}
	}
	if s.draining && len(s.conns) == 0 {
		close(s.empty)
	}
}

// connect decides on a CONNECT and answers it. An error is answered by refuse.
func (c *conn) connect(ctx context.Context, p packet.Connect) error {
	s := c.s
	select {
	case <-s.listening: // else what ends this session might not be heard
	case <-ctx.Done():
		return &packet.Error{Code: packet.Unavailable, Text: "the server is starting"}
	}
	revocations := s.revocations.Load()
	if err := c.authenticate(ctx, p); err != nil {
		return err
	}
	users, err := s.Users.UsersByID(ctx, []string{c.who.ID})
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return &packet.Error{Code: packet.NotAuthorized, Text: "this account was deleted"}
	}
	ack, err := c.agree(&p)
	if err != nil {
		return err
	}
	c.key = c.who.ID + "/" + p.ClientID
	turn := s.turn(c.key)
	turn.Lock()
	defer turn.Unlock()
	if err := c.register(p.CleanStart); err != nil {
		return err
	}
	if ack.Present, err = c.begin(ctx, p); err != nil {
		return err
	}
	s.Presence.Connect(c.id, users[0], func([]byte) {})
	if c.who.Kind == domain.KindDevice {
		c.spoke.Store(s.Now().UnixNano())
		s.Devices.DeviceConnected(c.context(ctx), c.id, c.who, c.addr, c.lastSpoke)
		if c.who.Access == domain.AccessBridge && s.Bridges != nil {
			c.showSoon()
		}
	}
	s.metrics.connects.WithLabelValues("accepted").Inc()
	s.tellTaken(c, p.CleanStart)
	c.send(packet.AppendConnack(nil, c.version, ack))
	c.sess.resume(c)
	if s.revocations.Load() != revocations { // perhaps of this very key, before the connection was known
		if _, err := c.prove(ctx, p); err != nil {
			c.kick(administrative, "revoked")
		}
	}
	return nil
}

// authenticate finds out who connects, by the password or a certificate, and not by the user name.
func (c *conn) authenticate(ctx context.Context, p packet.Connect) (err error) {
	s := c.s
	if _, ok := p.Props.Text(packet.AuthMethod); ok {
		return &packet.Error{Code: packet.BadAuthMethod, Text: "there are no other ways to sign in than a password"}
	}
	byCert := !p.HasPassword && c.certificate() != nil
	if !byCert && (!p.HasPassword || s.bad.has(p.Password, s.Now())) {
		return &packet.Error{Code: packet.BadCredentials, Text: "the password is the device's key; any user name will do"}
	}
	c.who, err = c.prove(ctx, p)
	switch domain.KindOf(err) {
	case domain.Unauthorized, domain.Forbidden, domain.Invalid:
		if c.certificate() == nil { // else it may be good with another one
			s.bad.add(p.Password, s.Now(), badKeyTime(err))
		}
		return &packet.Error{Code: packet.BadCredentials, Text: err.Error()}
	}
	if err != nil {
		return err
	}
	if ok, _ := s.byUser.Allow(c.who.ID, s.Now()); !ok {
		return &packet.Error{Code: packet.ConnectionRate, Text: "too many connections in a short time"}
	}
	return nil
}

func (s *Service) identify(ctx context.Context, secret string, from netip.Addr) (domain.Principal, error) {
	if strings.HasPrefix(secret, domain.DeviceKeyPrefix) {
		return s.Devices.AuthenticateDevice(ctx, secret, from)
	}
	p, err := s.Auth.Authenticate(ctx, secret)
	if err == nil && p.Limited {
		err = domain.Forbidden.Errorf(domain.CodeSecondFactorRequired,
			"this server asks you for a second factor; add one first")
	}
	if err == nil && p.IsGuest() {
		err = domain.ErrNotForGuests()
	}
	return p, err
}

// agree settles what the client asks for, and returns the answer.
func (c *conn) agree(p *packet.Connect) (ack packet.Connack, err error) {
	set := func(id packet.PropID, n uint32) { ack.Props = append(ack.Props, packet.Property{ID: id, Num: n}) }
	switch {
	case p.ClientID == "" && c.version < packet.V5 && !p.CleanStart:
		return ack, &packet.Error{Code: packet.BadClientID, Text: "a session that is kept needs a client id"}
	case len(p.ClientID) > maxClientID:
		return ack, &packet.Error{Code: packet.BadClientID, Text: "a client id has at most 128 bytes"}
	case p.ClientID == "":
		p.ClientID = domain.NewID("auto")
		ack.Props = append(ack.Props, packet.Property{ID: packet.AssignedClientID, Text: p.ClientID})
	}
	if w := p.Will; w != nil {
		if code := c.mayPublish(w.Topic); code != packet.Success {
			return ack, &packet.Error{Code: code, Text: "the will's topic is not yours"}
		}
	}
	c.maxPacket = packet.MaxLength
	if n, ok := p.Props.Num(packet.MaximumPacketSize); ok {
		c.maxPacket = int(min(n, packet.MaxLength))
	}
	if c.version == packet.V5 && (p.KeepAlive == 0 || p.KeepAlive > maxKeepAlive) {
		p.KeepAlive = maxKeepAlive
		set(packet.ServerKeepAlive, maxKeepAlive)
	}
	c.keepalive = time.Duration(p.KeepAlive) * time.Second
	if n, ok := p.Props.Num(packet.SessionExpiry); ok && n > maxExpiry {
		set(packet.SessionExpiry, maxExpiry)
	}
	set(packet.ReceiveMaximum, receiveMaximum)
	set(packet.MaximumPacketSize, maxPacket)
	set(packet.TopicAliasMaximum, maxAliases)
	return ack, nil
}

// register takes the place of an earlier connection of the same client, and counts this one.
func (c *conn) register(clean bool) error {
	s := c.s
	s.mu.Lock()
	old := s.clients[c.key]
	full := s.Limits.ConnsPerUser > 0 && s.users[c.who.ID] >= s.Limits.ConnsPerUser && old == nil
	s.mu.Unlock()
	if full {
		return &packet.Error{Code: packet.QuotaExceeded, Text: "too many connections are open"}
	}
	if old != nil {
		old.takenOver(clean) // its will comes before our CONNACK
	}
	return nil
}

// takenOver ends a connection whose client has another one now. Its will is published if its session
// ends with it.
func (c *conn) takenOver(clean bool) {
	if !clean && c.sess.expiry() > 0 {
		c.will.Store(nil)
	}
	c.kick(packet.TakenOver, "taken_over")
	c.leave()
}

// expiryOf returns for how many seconds a client wants its session kept.
func expiryOf(p packet.Connect) uint32 {
	n, _ := p.Props.Num(packet.SessionExpiry)
	if p.Version < packet.V5 && !p.CleanStart {
		n = oldExpiry
	}
	return min(n, maxExpiry)
}

// begin opens the session, and reports whether it was there.
func (c *conn) begin(ctx context.Context, p packet.Connect) (present bool, err error) {
	s := c.s
	window := defaultWindow
	if n, ok := p.Props.Num(packet.ReceiveMaximum); ok {
		window = min(window, int(n))
	}
	present, err = c.openSession(ctx, p, expiryOf(p), window)
	if domain.KindOf(err) == domain.TooLarge {
		return false, &packet.Error{Code: packet.QuotaExceeded, Text: err.Error()}
	}
	if err != nil {
		return false, err
	}
	s.work.cancel(willOf(c.key)) // the client is back
	if p.Will != nil {
		c.will.Store(newWill(p.Will))
	}
	c.ready.Store(true)
	s.mu.Lock()
	s.clients[c.key] = c
	s.users[c.who.ID]++
	s.mu.Unlock()
	return present, nil
}

// leave takes the connection out of everything that others see, and publishes its will. It is
// called by whoever comes first: the reader, or the connection that takes its place.
func (c *conn) leave() {
	c.left.Do(func() {
		s := c.s
		s.mu.Lock()
		if s.clients[c.key] == c {
			delete(s.clients, c.key)
		}
		s.mu.Unlock()
		s.work.cancel("show " + c.id)
		s.work.cancel("shelly " + c.id)
		c.endCommands()
		c.endView()
		w := c.will.Swap(nil)
		c.sess.close(c)
		if w != nil {
			s.leaveWill(c, w)
		}
	})
}

// refuse answers a CONNECT that fails, and ends the connection.
func (c *conn) refuse(err error) {
	defer c.s.release(c)
	c.buf = c.buf[:0]
	c.releaseBuffer()
	code := packet.Unavailable // of our own faults
	var e *packet.Error
	switch {
	case errors.Is(err, errGone):
		c.s.metrics.connects.WithLabelValues("gone").Inc()
		c.end(nil)
		return
	case errors.As(err, &e):
		code = e.Code
	default:
		c.s.Log.WarnContext(c.context(context.Background()), "cannot let in an MQTT client", "err", err)
	}
	result := "refused"
	if code == packet.Unavailable {
		result = "unavailable"
	}
	c.s.metrics.connects.WithLabelValues(result).Inc()
	if ok, _ := c.s.byAddr.AllowAddr(c.addr, c.s.Now()); !ok {
		c.end(nil) // no more answers
		return
	}
	var b []byte
	if c.version == packet.V5 {
		b = packet.AppendConnack(nil, c.version, packet.Connack{Code: code})
	} else if old, ok := oldCodes[code]; ok {
		b = packet.AppendConnack(nil, packet.V311, packet.Connack{Code: old})
	}
	_ = c.nc.SetDeadline(time.Now().Add(closeTime))
	c.end(b)
	c.waitWritten()
}

// oldCodes are the answers before MQTT 5. Without one the connection is closed (3.1.1 section 3.2.2.3).
var oldCodes = map[packet.Code]packet.Code{
	packet.BadVersion: packet.OldBadVersion, packet.BadClientID: packet.OldBadClientID,
	packet.Unavailable: packet.OldUnavailable, packet.ConnectionRate: packet.OldUnavailable,
	packet.QuotaExceeded: packet.OldUnavailable, packet.BadCredentials: packet.OldBadCredentials,
	packet.NotAuthorized: packet.OldNotAuthorized, packet.BadTopic: packet.OldNotAuthorized,
}

// badKeys remembers passwords that were refused a moment ago: a node that has a wrong one comes
// back for ever, and costs no question to the store.
type badKeys struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

const maxBadKeys = 4096

// badKeyTime returns how long a secret is remembered that was refused. One that may be good again, when its
// device is no longer suspended, is asked about again soon.
func badKeyTime(err error) time.Duration {
	if errors.Is(err, domain.ErrKeyResting) {
		return time.Second
	}
	return 30 * time.Second
}

func (b *badKeys) has(secret string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Before(b.until[sha256.Sum256([]byte(secret))])
}

func (b *badKeys) add(secret string, now time.Time, during time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil || len(b.until) >= maxBadKeys {
		b.until = make(map[[sha256.Size]byte]time.Time)
	}
	b.until[sha256.Sum256([]byte(secret))] = now.Add(during)
}
