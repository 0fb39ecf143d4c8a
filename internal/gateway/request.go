package gateway

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	maxStrikes  = 5   // malformed frames, until the connection ends
	maxRefusals = 200 // requests that were too many, less those that were not
	maxID       = 64  // bytes of a request's id
)

// What one connection may ask; its user has twice as much over all connections.
var (
	requestRate = ratelimit.NewRate(requestsPerSec, time.Second, 2*requestsPerSec)
	typingRate  = ratelimit.NewRate(typingPerSec, time.Second, 3*typingPerSec)
)

const (
	requestsPerSec = 50 // of everything that is not a message
	typingPerSec   = 1
)

// allowance is what a request of a type is counted against.
type allowance int

const (
	forRequests allowance = iota // also what is of no known type
	forMessages
	forTyping
)

// allowances has every type of request.
var allowances = map[string]allowance{
	wire.TypeSend: forMessages, wire.TypeEdit: forMessages, wire.TypeDelete: forMessages, wire.TypeTyping: forTyping,
	wire.TypeReact: forMessages, wire.TypeUnreact: forMessages,
	wire.TypeThreadRead: forRequests,
	wire.TypeRead:       forRequests, wire.TypeSync: forRequests, wire.TypeWatch: forRequests, wire.TypeActivity: forRequests,
	wire.TypeRefresh: forRequests, wire.TypePing: forRequests, wire.TypeDescribe: forRequests,
	wire.TypeCommand: forMessages, wire.TypeCommands: forRequests, wire.TypeReported: forRequests,
	wire.TypeBye: forRequests, wire.TypeSettings: forRequests, wire.TypeSettingsSet: forRequests,
	wire.TypeReport: forRequests, wire.TypeWatchReadings: forRequests,
	wire.TypeFirmware: forRequests, wire.TypeFirmwareProgress: forRequests, wire.TypeFirmwareRead: forRequests,
	wire.TypeCrash: forRequests,
}

// request answers one frame.
func (c *conn) request(b []byte) {
	var req wire.Request
	err := wire.Decode(b, &req)
	if err == nil && (req.Type == "" || len(req.ID) > maxID) {
		err = domain.Invalid.Errorf(domain.CodeBadFrame, "a frame has a type, and an id of at most %d bytes", maxID)
	}
	if err != nil {
		c.malformed(err)
		return
	}
	if req.Type == wire.TypeTyping {
		c.notifyTyping(req)
		return
	}
	if err := c.limit(req.Type); err != nil {
		c.fails(req.ID, err)
		c.tooMany(err)
		return
	}
	if c.refusals > 0 {
		c.refusals--
	}
	ctx, cancel := c.requestContext(req)
	defer cancel()
	ctx, span := c.g.Trace.Request(ctx, "ws", req.Type, req.Trace)
	data, err := c.answer(ctx, req)
	span.End(httpx.RequestID(ctx), trace.Failed(err))
	if err != nil {
		if domain.KindOf(err) == domain.Internal {
			c.g.Log.ErrorContext(ctx, "request failed", "err", err)
		}
		body := wire.FromError(err)
		body.Trace = trace.ID(ctx)
		c.note(req.Type, body)
		c.push(encode(wire.Reply{ID: req.ID, Type: wire.TypeError, Error: body}))
		return
	}
	c.push(encode(wire.Reply{ID: req.ID, Type: wire.TypeOK, Data: data}))
}

// requestContext is for the work on one request, and names it. It is made for each
// request: a connection outlives all of its requests, and an idle one keeps nothing.
func (c *conn) requestContext(req wire.Request) (context.Context, context.CancelFunc) {
	ctx := c.context(context.Background(), c.id+"/"+req.ID)
	return context.WithTimeout(ctx, requestTime)
}

// malformed tells the client what is wrong with a frame, and ends the
// connection of one that does not learn.
func (c *conn) malformed(err error) {
	c.fails("", domain.Invalid.Errorf(domain.CodeBadFrame, "this is not a frame of the protocol: %v", err))
	if c.strikes++; c.strikes >= maxStrikes {
		c.close(wire.CloseBadFrame, "too many malformed frames", "malformed", false)
	}
}

func (c *conn) fails(id string, err error) {
	body := wire.FromError(err)
	c.note("", body)
	c.push(encode(wire.Reply{ID: id, Type: wire.TypeError, Error: body}))
}

// note adds to the log of the device that connects why a request was refused.
func (c *conn) note(typ string, body *wire.ErrorBody) {
	p := c.who()
	if p.Kind != domain.KindDevice || body.Kind == string(domain.Internal) {
		return
	}
	detail := body.Detail
	for _, f := range body.Fields {
		detail += "; " + f.Pointer + ": " + f.Detail
	}
	if _, known := allowances[typ]; !known {
		typ = "" // it may be anything
	}
	c.g.Devices.Note(p.ID, domain.DeviceNote{Kind: domain.NoteRequest, Subject: typ, Reason: string(body.Code),
		Detail: detail})
}

// limit says whether c may do one more thing now.
func (c *conn) limit(typ string) error {
	now := c.g.Now()
	cell, rate, all, what := &c.requests, requestRate, c.g.requests, domain.CodeRequests
	who := c.limitKey()
	if c.who().Owner != "" {
		all = c.g.deviceRequests
	}
	switch allowances[typ] {
	case forMessages:
		cell, rate, all, what = &c.perConn, c.g.perConn, c.g.messages, domain.CodeMessages
	case forTyping:
		cell, rate, all, what = &c.typing, typingRate, c.g.typing, domain.CodeTyping
	}
	ok, wait := cell.Allow(rate, now)
	c.g.metrics.requests.count(ok)
	if ok {
		ok, wait = all.Allow(who, now)
	}
	if !ok {
		return domain.RateLimited.Errorf(what, "too many %s; wait a moment", what).After(wait)
	}
	return nil
}

// limitKey is whose allowance c uses: its user's, or, of a device, what the devices of
// one owner share, as much as one more person would have.
func (c *conn) limitKey() string {
	if owner := c.proof.Load().Owner; owner != "" { // no copy of it: this is done for each frame
		return "devices of " + owner
	}
	return c.user.ID
}

// What comes costs a unit for each frame, whatever it is, and one for each KiB of it:
// refusing frames and reading what is thrown away is work too. A connection may send
// as much as messages of full length at the allowed rate, with all other requests,
// and so much in four seconds at once; who sends more is no client of ours.
const (
	volumeUnit    = 1 << 10
	volumeMessage = 20 // units: a text of 16 KiB with all around it
	volumeBurst   = 4
)

func volumePerSec(messages int) int {
	if messages <= 0 {
		return 0
	}
	return max(volumeMessage*messages, wire.MaxFrame/volumeUnit) + requestsPerSec
}

// allowVolume counts n bytes of a frame, and ends a connection that sends too much.
func (c *conn) allowVolume(n int) bool {
	units, now := 1+n/volumeUnit, c.g.Now()
	ok, wait := c.volume.AllowN(c.g.perVolume, units, now)
	if ok {
		ok, wait = c.g.volume.AllowN(c.limitKey(), units, now)
	}
	if !ok {
		c.discarding = true
		c.closeForRate(wait)
	}
	return ok
}

// closeForRate ends a connection that sends too much. It is a function of its own because what close needs
// of the stack would be taken for each frame: a stack that has grown over 2 kB once stays at 4.
//
//go:noinline
func (c *conn) closeForRate(wait time.Duration) {
	c.close(wire.CloseRate, seconds(wait), "rate", false)
}

// tooMany ends the connection of a client that does not slow down.
func (c *conn) tooMany(err error) {
	if c.refusals++; c.refusals >= maxRefusals {
		c.closeForRate(time.Second)
	}
}

// seconds is a delay as close reasons say it.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(max(d, time.Second).Seconds())))
}

// answer does what a request asks for.
func (c *conn) answer(ctx context.Context, req wire.Request) (any, error) {
	switch req.Type {
	case wire.TypeSend:
		return with(req, func(d wire.Send) (any, error) {
			return sent(c.g.Chat.Send(ctx, c.who(), domain.Draft{
				Room: d.Room, Key: d.Key, Text: d.Text, ContentType: d.ContentType, ReplyTo: d.ReplyTo,
				Thread: d.Thread, Broadcast: d.Broadcast, Files: d.Files,
			}))
		})
	case wire.TypeEdit:
		return with(req, func(d wire.Edit) (any, error) { return sent(c.g.Chat.Edit(ctx, c.who(), d.Room, d.Seq, d.Text)) })
	case wire.TypeDelete:
		return with(req, func(d wire.Target) (any, error) { return sent(c.g.Chat.Delete(ctx, c.who(), d.Room, d.Seq)) })
	case wire.TypeReact, wire.TypeUnreact:
		return with(req, func(d wire.React) (any, error) {
			return c.g.Chat.React(ctx, c.who(), domain.Reacting{Room: d.Room, Seq: d.Seq, Emoji: d.Emoji,
				Remove: req.Type == wire.TypeUnreact})
		})
	case wire.TypeRead:
		return with(req, func(d wire.Mark) (any, error) { return c.markRead(ctx, d) })
	case wire.TypeThreadRead:
		return with(req, func(d wire.ThreadMark) (any, error) {
			state, err := c.g.Chat.MarkThread(ctx, c.who(), d.Room, d.Root, d.Seq)
			return wire.FromThreadState(state), err
		})
	case wire.TypeSync:
		return with(req, func(d wire.Sync) (any, error) { return c.sync(ctx, d) })
	case wire.TypeWatch:
		return with(req, func(d wire.Watch) (any, error) { return c.watch(ctx, d) })
	case wire.TypeActivity:
		return with(req, func(d wire.Activity) (any, error) {
			c.g.Presence.SetActive(c.id, d.Active)
			return nil, nil
		})
	case wire.TypeRefresh:
		return with(req, func(d wire.Refresh) (any, error) { return c.refresh(ctx, d.Token) })
	case wire.TypeReport:
		return with(req, func(d wire.Report) (any, error) { return c.g.Readings.Report(ctx, c.who(), d) })
	case wire.TypeWatchReadings:
		return with(req, func(d wire.WatchReadings) (any, error) { return c.watchReadings(ctx, d) })
	case wire.TypePing:
		return nil, nil
	}
	return c.answerDevice(ctx, req)
}

// with decodes a request's data.
func with[T any](req wire.Request, do func(T) (any, error)) (any, error) {
	var data T
	if len(req.Data) == 0 {
		return nil, domain.Invalid.Errorf(domain.CodeBadData, "%s needs data", req.Type)
	}
	if err := wire.Decode(req.Data, &data); err != nil {
		return nil, domain.Invalid.Errorf(domain.CodeBadData, "the data of %s is wrong: %v", req.Type, err)
	}
	return do(data)
}

func sent(e domain.Event, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return wire.Sent{Seq: e.Seq, Message: wire.FromEvent(e).Message}, nil
}

func (c *conn) markRead(ctx context.Context, d wire.Mark) (any, error) {
	m, err := c.g.Chat.MarkRead(ctx, c.who(), d.Room, d.Seq, d.Main)
	if err != nil {
		return nil, err
	}
	return wire.FromMark(m), nil
}

func (c *conn) watch(ctx context.Context, d wire.Watch) (any, error) {
	seen, err := c.g.Presence.Watch(ctx, c.id, d.Users)
	if err != nil {
		return nil, err
	}
	ps := wire.Presences{Users: make([]wire.Presence, len(seen))}
	for i, p := range seen {
		ps.Users[i] = wire.FromPresence(p)
	}
	return ps, nil
}

func (c *conn) watchReadings(ctx context.Context, d wire.WatchReadings) (any, error) {
	last, err := c.g.Readings.Watch(ctx, c.id, c.who(), d.Devices, c.deliver)
	if err != nil {
		return nil, err
	}
	return wire.WatchedReadings{Devices: last}, nil
}

// refresh extends the connection with a later token of the same session, or with
// another key of the same device.
func (c *conn) refresh(ctx context.Context, token string) (any, error) {
	revocations := c.g.revocations.Load()
	p, err := c.g.authenticate(ctx, token, c.addr)
	if err != nil {
		return nil, err
	}
	if old := c.who(); p.ID != old.ID || p.Kind != old.Kind || p.SessionID != old.SessionID {
		return nil, domain.Forbidden.Errorf(domain.CodeOtherSession,
			"this token is not of the session that opened the connection")
	}
	if p.Kind == domain.KindDevice {
		c.g.Devices.DeviceRenewed(ctx, c.id, p)
	}
	c.prove(p)
	if c.g.revocations.Load() != revocations { // perhaps of this very proof, before it was the connection's
		if _, err := c.g.authenticate(ctx, token, c.addr); err != nil {
			c.outdated()
			return nil, err
		}
	}
	return wire.Until{Expires: p.Expires}, nil
}

// notifyTyping tells the room's other members. It is not answered. What is too much is
// forgotten, and so is what comes from those who may not write there, as while they
// are muted or the room is archived.
func (c *conn) notifyTyping(req wire.Request) {
	var in wire.InRoom
	if err := wire.Decode(req.Data, &in); err != nil {
		c.malformed(err)
		return
	}
	if c.limit(req.Type) != nil || !c.g.Hub.Follows(&c.member, in.Room) {
		return
	}
	ctx, cancel := c.requestContext(req)
	defer cancel()
	if err := c.g.Chat.MayWrite(ctx, c.who(), in.Room); err != nil {
		if domain.KindOf(err) == domain.Internal {
			c.g.Log.ErrorContext(ctx, "typing notice was lost", "err", err)
		}
		return
	}
	frame, err := wire.Encode(wire.Reply{Type: wire.TypeIsTyping,
		Data: wire.Typing{Room: in.Room, User: wire.FromUser(c.user)}})
	if err != nil {
		return
	}
	packed, err := wire.Pack(wire.Header{Type: wire.TypeIsTyping, Actor: c.user.ID}, frame)
	if err != nil {
		return
	}
	if err := c.g.Bus.Publish(wire.RoomSubject(in.Room), packed); err != nil {
		c.g.Log.DebugContext(ctx, "typing notice was lost", "err", err)
	}
}
