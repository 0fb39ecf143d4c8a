package mqtt

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/wire"
)

// backend is the rest of the server, in memory. Every question to it takes a second, and none may come
// once the service has stopped.
type backend struct {
	t       *testing.T
	stopped atomic.Bool

	mu        sync.Mutex
	retained  map[string]domain.RetainedMessage
	queue     []domain.QueuedMessage
	holders   map[string]string // of topics
	revoked   map[string]bool   // devices
	described []domain.Capabilities
	reported  []domain.CommandReport
	commands  []domain.Command // for whoever attaches
	attached  int
}

func (b *backend) answer() func() {
	b.t.Helper()
	if b.stopped.Load() {
		b.t.Error("something runs although the service has stopped")
	}
	time.Sleep(time.Second) // of the bubble
	if b.stopped.Load() {
		b.t.Error("the service has stopped although something runs")
	}
	b.mu.Lock()
	return b.mu.Unlock
}

func (b *backend) Authenticate(_ context.Context, token string) (domain.Principal, error) {
	defer b.answer()()
	return domain.Principal{ID: token, Kind: domain.KindUser}, nil
}

func (b *backend) AuthenticateDevice(_ context.Context, key string, _ netip.Addr) (domain.Principal, error) {
	defer b.answer()()
	id := domain.DevicePrefix + "_" + strings.TrimPrefix(key, domain.DeviceKeyPrefix)
	return domain.Principal{ID: id, Kind: domain.KindDevice, Owner: "owner", Key: key}, nil
}

func (b *backend) AuthenticateCertificate(context.Context, *x509.Certificate, netip.Addr) (domain.Principal, error) {
	return domain.Principal{}, domain.Unauthorized.Errorf(domain.CodeBadDeviceKey, "there are no certificates here")
}

func (b *backend) DeviceConnected(context.Context, string, domain.Principal, netip.Addr, func() time.Time) {
	b.answer()()
}

// noSettings has none for any device.
type noSettings struct{}

func (noSettings) Attach(context.Context, string, func(domain.Shadow)) (detach func()) {
	return func() {}
}

func (noSettings) Report(context.Context, domain.Principal, domain.SettingsReport) error { return nil }

func (b *backend) Leaves(context.Context, domain.Principal, string, time.Duration) error { return nil }

func (b *backend) Note(string, domain.DeviceNote) {}

func (b *backend) DeviceAvailable(string, string, bool) {}

func (b *backend) DevicesBehind(string, map[string]bool) {}

func (b *backend) DeviceDisconnected(context.Context, string, string) { b.answer()() }

func (b *backend) UsersByID(_ context.Context, ids []string) ([]domain.User, error) {
	defer b.answer()()
	return []domain.User{{ID: ids[0]}}, nil
}

func (b *backend) Connect(string, domain.User, func([]byte)) { b.answer()() }

func (b *backend) Disconnect(string) { b.answer()() }

func (b *backend) Describe(_ context.Context, _ domain.Principal, c domain.Capabilities) error {
	defer b.answer()()
	b.described = append(b.described, c)
	return nil
}

func (b *backend) Capabilities(context.Context, string) (domain.Capabilities, error) {
	defer b.answer()()
	return domain.Capabilities{}, nil
}

// topics is the backend as the store of topics.
type topics struct{ *backend }

func (b topics) ClaimTopic(_ context.Context, _, topic, device string, _ int) (string, error) {
	defer b.answer()()
	if b.holders[topic] == "" {
		b.holders[topic] = device
	}
	return b.holders[topic], nil
}

func (b topics) RetainMessages(_ context.Context, ms []domain.RetainedMessage) error {
	defer b.answer()()
	for _, m := range ms {
		b.retained[m.Topic] = m
	}
	return nil
}

func (b topics) RetainedMessages(_ context.Context, _, prefix, after string, _ int) (
	page []domain.RetainedMessage, err error,
) {
	defer b.answer()()
	for topic, m := range b.retained {
		if strings.HasPrefix(topic, prefix) && topic > after {
			page = append(page, m)
		}
	}
	return page, nil
}

func (b topics) RetainedSizes(context.Context, string, string) (map[string]int, error) {
	defer b.answer()()
	return make(map[string]int), nil
}

func (b topics) ForgetTopics(context.Context, time.Time) ([]domain.RetainedMessage, error) {
	defer b.answer()()
	for topic, device := range b.holders {
		if b.revoked[device] {
			delete(b.holders, topic)
		}
	}
	return nil, nil
}

// sessions is the backend as the store of sessions.
type sessions struct{ *backend }

func (b sessions) OpenSession(_ context.Context, s domain.MQTTSession, _ bool, _ time.Time) (
	domain.MQTTSession, bool, error,
) {
	defer b.answer()()
	if s.Expiry == 0 {
		return domain.MQTTSession{}, false, nil
	}
	s.ID = "session of " + s.Client
	return s, false, nil
}

func (b sessions) CloseSession(context.Context, domain.MQTTSession) error { b.answer()(); return nil }

func (b sessions) RenewSessions(context.Context, []string, time.Duration, time.Time) error {
	b.answer()()
	return nil
}

func (b sessions) SiteVersion(context.Context, string) (int64, error) { b.answer()(); return 0, nil }

func (b sessions) SiteSessions(context.Context, string, time.Time) ([]domain.MQTTSession, int64, error) {
	b.answer()()
	return nil, 0, nil
}

func (b sessions) SetSubscriptions(context.Context, domain.MQTTSession, []domain.MQTTSubscription, []string) error {
	b.answer()()
	return nil
}

func (b sessions) ForgetSessions(context.Context, time.Time) error { b.answer()(); return nil }

func (b sessions) Enqueue(_ context.Context, ms []domain.QueuedMessage, _ domain.MQTTReceived, _ int) (int, error) {
	defer b.answer()()
	b.queue = append(b.queue, ms...)
	return 0, nil
}

func (b sessions) LaunchQueued(_ context.Context, _, _ string, ids []uint16) ([]domain.QueuedMessage, error) {
	defer b.answer()()
	some := slices.Clone(b.queue[:min(len(ids), len(b.queue))])
	b.queue = b.queue[len(some):]
	for i := range some {
		some[i].PacketID = ids[i]
	}
	return some, nil
}

func (b sessions) Unacknowledged(context.Context, string) ([]domain.QueuedMessage, []uint16, error) {
	b.answer()()
	return nil, nil, nil
}

func (b sessions) ReleaseQueued(context.Context, int64) error { b.answer()(); return nil }

func (b sessions) DropQueued(context.Context, []int64) error { b.answer()(); return nil }

func (b sessions) DropReceived(context.Context, domain.MQTTReceived) error { b.answer()(); return nil }

// readings is the backend as the keeper of readings.
type readings struct{ *backend }

func (b readings) Report(context.Context, domain.Principal, wire.Report) (wire.Reported, error) {
	b.answer()()
	return wire.Reported{}, nil
}

func (b readings) Accept(context.Context, string, []domain.Report) (domain.ReportAck, error) {
	b.answer()()
	return domain.ReportAck{}, nil
}

// orders is the backend as the keeper of commands.
type orders struct{ *backend }

func (b orders) Report(_ context.Context, _ domain.Principal, r domain.CommandReport) error {
	defer b.answer()()
	b.reported = append(b.reported, r)
	return nil
}

func (b orders) Attach(_ context.Context, device string, deliver func(domain.Command)) (detach func()) {
	defer b.answer()()
	b.attached++
	for _, c := range b.commands {
		c.Device = device
		deliver(c)
	}
	return func() { b.mu.Lock(); defer b.mu.Unlock(); b.attached-- }
}

// run runs a service on b until stop is called, which waits for its end. It is called in a bubble.
func (b *backend) run(t *testing.T) (s *Service, stop func()) {
	b.t, b.retained = t, make(map[string]domain.RetainedMessage)
	b.holders, b.revoked = make(map[string]string), make(map[string]bool)
	s = New(Deps{Auth: b, Devices: b, Users: b, Presence: b, Topics: topics{b}, Sessions: sessions{b},
		Readings: readings{b}, Describer: b, Commands: orders{b}, Settings: noSettings{}, Bus: bus.NewLocal(),
		Log: testkit.Logger(t), Node: "node"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.stopped.Store(true)
	})
	t.Cleanup(stop)
	return s, stop
}

// dial connects a client to s.
func dial(t *testing.T, s *Service, p packet.Connect) *mqtttest.Client {
	t.Helper()
	client, server := net.Pipe()
	go s.take(t.Context(), server, nil, netip.MustParseAddr("127.0.0.1"), "tcp")
	c, ack := mqtttest.On(t, client, p)
	if ack.Code != packet.Success {
		t.Fatalf("CONNECT was refused with 0x%02x", byte(ack.Code))
	}
	return c
}

// connectAs is a CONNECT with a key or token as password, of a session that outlives its connection by
// some seconds.
func connectAs(id, secret string, expiry uint32) packet.Connect {
	return packet.Connect{Version: packet.V5, ClientID: id, CleanStart: true, HasPassword: true, Password: secret,
		Props: packet.Properties{{ID: packet.SessionExpiry, Num: expiry}}}
}
