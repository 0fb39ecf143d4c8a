package outgoing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/token"
	"github.com/unhidra/unhidra/internal/webhook/incoming"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	slashTimeout    = 3 * time.Second // for the first answer
	runsPerMinute   = 30              // of one person
	runsAtOnce      = 10
	postsPerMinute  = 60 // answers of one command to its room
	postsAtOnce     = 10
	askingOfUser    = 3  // commands of one person that wait for an answer at a time, on one node
	askingOfCommand = 16 // uses of one command
	askingTotal     = 64 // of all
	askingAll       = "" // key of the count of all
	parsedAtOnce    = 4  // answers: one takes up to a hundred times its size in memory while it is parsed
	noteEvery       = time.Minute
)

// Commands returns the slash commands that p has in a room, by name, and whether p may manage those of the room. Of the
// server's commands there are those that ask somebody and whose name no command of the room has. What only those see
// who may manage a command is for the caller to leave out.
func (s *Service) Commands(
	ctx context.Context, p domain.Principal, room string,
) (all []domain.SlashCommand, manage bool, err error) {
	if err := s.Chat.MayRead(ctx, p, room); err != nil {
		return nil, false, err
	}
	err = s.Chat.MayManageHooks(ctx, p, room)
	if err != nil && domain.KindOf(err) != domain.Forbidden {
		return nil, false, err
	}
	manage = err == nil
	if all, err = s.Slash.SlashCommands(ctx, room); err != nil {
		return nil, false, err
	}
	servers, err := s.Slash.ServerCommandsIn(ctx, room, p.IsGuest())
	own := len(all)
	for _, c := range servers {
		named := func(o domain.SlashCommand) bool { return o.Name == c.Name }
		if c.Off == "" && !slices.ContainsFunc(all[:own], named) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b domain.SlashCommand) int { return strings.Compare(a.Name, b.Name) })
	return all, manage, err
}

// CreateCommand makes a slash command. Its Secret is told this once.
func (s *Service) CreateCommand(
	ctx context.Context, p domain.Principal, c domain.SlashCommand,
) (domain.SlashCommand, error) {
	c.Name = strings.TrimPrefix(c.Name, "/")
	if err := domain.CheckSlashName(c.Name); err != nil {
		return c, err
	}
	if err := s.checkCommand(&c); err != nil {
		return c, err
	}
	if err := s.Chat.MayManageHooks(ctx, p, c.Room); err != nil {
		return c, err
	}
	c.ID = domain.NewID(domain.SlashPrefix)
	c, err := s.Slash.CreateSlash(ctx, p.ID, c, s.Now())
	if err == nil {
		c.Secret = shownSecret(secretOf(s.Key, c.ID, c.Generation))
		s.recordCommand(ctx, p, c, "create_command")
	}
	return c, err
}

// checkCommand brings what a slash command says of itself in order.
func (s *Service) checkCommand(c *domain.SlashCommand) error {
	for _, f := range []struct {
		at   *string
		name string
		most int
	}{{&c.Description, "/description", domain.MaxSlashAbout}, {&c.Hint, "/hint", domain.MaxSlashHint}} {
		*f.at = strings.Join(strings.Fields(*f.at), " ")
		if utf8.RuneCountInString(*f.at) > f.most || strings.ContainsFunc(*f.at, unicode.IsControl) {
			return domain.InvalidField(f.name, "this is one line of at most %d characters", f.most)
		}
	}
	return s.checkURL(c.URL)
}

// A CommandChange is what changes of a slash command; nil leaves as it is.
type CommandChange struct {
	Description, Hint, URL *string
	On                     *bool
}

// apply changes c, except for whether it is on.
func (change CommandChange) apply(c *domain.SlashCommand) {
	for to, from := range map[*string]*string{&c.Description: change.Description, &c.Hint: change.Hint,
		&c.URL: change.URL} {
		if from != nil {
			*to = *from
		}
	}
}

// ChangeCommand changes a slash command.
func (s *Service) ChangeCommand(
	ctx context.Context, p domain.Principal, room, id string, change CommandChange,
) (c domain.SlashCommand, err error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return c, err
	}
	c, err = s.Slash.ChangeSlash(ctx, p.ID, room, id, func(c *domain.SlashCommand) error {
		change.apply(c)
		return s.checkCommand(c)
	}, change.On, s.Now())
	if err == nil {
		s.recordCommand(ctx, p, c, "change_command")
	}
	return c, err
}

// RotateCommand replaces the secret of a slash command; the new one is told this once. For domain.HookSecretKept what
// is sent is signed by both.
func (s *Service) RotateCommand(
	ctx context.Context, p domain.Principal, room, id string,
) (c domain.SlashCommand, err error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return c, err
	}
	if c, err = s.Slash.RotateSlash(ctx, p.ID, room, id, s.Now()); err == nil {
		c.Secret = shownSecret(secretOf(s.Key, c.ID, c.Generation))
		s.recordCommand(ctx, p, c, "renew_command")
	}
	return c, err
}

// RemoveCommand ends a slash command. What it wrote stays.
func (s *Service) RemoveCommand(ctx context.Context, p domain.Principal, room, id string) error {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return err
	}
	c, err := s.Slash.RemoveSlash(ctx, p.ID, room, id, s.Now())
	if err == nil {
		s.recordCommand(ctx, p, c, "remove_command")
	}
	return err
}

func (s *Service) recordCommand(ctx context.Context, p domain.Principal, c domain.SlashCommand, what string) {
	s.recordOf(ctx, p, c.Room, map[string]string{"what": what, "hook": c.ID, "command": c.Name, "host": hostOf(c.URL)})
}

// Written is a slash command that somebody wrote.
type Written struct {
	Room   string
	Name   string // without the slash
	Text   string // what follows; may be empty
	Thread int64  // in which it was written; 0: in none
}

// RunCommand asks the receiver of a slash command, and returns its first answer, and the number of the message if that
// was posted to the room. It is asked once: an error may leave open whether it did what it was asked for.
func (s *Service) RunCommand(
	ctx context.Context, p domain.Principal, w Written,
) (reply domain.SlashReply, seq int64, err error) {
	w.Name = strings.ToLower(strings.TrimPrefix(w.Name, "/"))
	if w.Text != "" {
		if w.Text, err = domain.CheckText(w.Text); err != nil {
			return reply, 0, err
		}
	}
	if w.Thread < 0 {
		return reply, 0, domain.InvalidField("/thread", "this is the number of a message in the room")
	}
	if err := s.Chat.MayWrite(ctx, p, w.Room); err != nil {
		return reply, 0, err
	}
	c, err := s.Slash.SlashNamed(ctx, w.Room, w.Name, p.IsGuest())
	switch {
	case err != nil:
		return reply, 0, err
	case c.Off != "" && c.OfServer():
		return reply, 0, domain.Conflict.Errorf(domain.CodeSlashOff,
			"/%s is switched off; an administrator of the server can switch it on", c.Name)
	case c.Off != "":
		return reply, 0, domain.Conflict.Errorf(domain.CodeSlashOff,
			"/%s is switched off; an admin of the room can switch it on", c.Name)
	}
	if ok, wait := s.runs.Allow(p.ID, s.Now()); !ok {
		return reply, 0, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"one person may ask for %d commands a minute; wait a little", runsPerMinute).After(wait)
	}
	if !s.begin(p.ID, c.ID) {
		return reply, 0, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"too many commands wait for an answer; wait until one has come").After(slashTimeout)
	}
	defer s.end(p.ID, c.ID)
	return s.askReceiver(ctx,
		domain.SlashRun{Command: c, Room: w.Room, User: domain.UserRef{ID: p.ID}, Thread: w.Thread}, w.Text)
}

// begin counts a command that waits for its answer, unless too many do.
func (s *Service) begin(user, command string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking[user] >= askingOfUser || s.asking[command] >= askingOfCommand || s.asking[askingAll] >= askingTotal {
		return false
	}
	for _, key := range []string{user, command, askingAll} {
		s.asking[key]++
	}
	return true
}

func (s *Service) end(user, command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{user, command, askingAll} {
		if s.asking[key]--; s.asking[key] == 0 {
			delete(s.asking, key)
		}
	}
}

// askReceiver sends a command to its receiver, once.
func (s *Service) askReceiver(
	ctx context.Context, run domain.SlashRun, text string,
) (reply domain.SlashReply, seq int64, err error) {
	began, secret := s.Now(), token.Secret()
	if run, err = s.Slash.BeginRun(ctx, run, s.Hash(secret), began); err != nil {
		return reply, 0, err
	}
	c, id := run.Command, domain.NewID("run")
	form := url.Values{
		"command": {"/" + c.Name}, "text": {text}, "user_id": {run.User.ID}, "user_name": {run.User.Username},
		"channel_id": {run.Room}, "channel_name": {run.RoomName}, "response_url": {s.URL + httpx.HookAnswerPath + secret},
	}
	limited, cancel := context.WithTimeout(ctx, slashTimeout)
	defer cancel()
	a, err := s.call(limited, call{url: c.URL, id: id, contentType: "application/x-www-form-urlencoded",
		body: []byte(form.Encode()), at: began, secrets: s.secretsOf(c.ID, c.Generation, c.RotatedAt, began),
		most: domain.MaxSlashReply + 1})
	if ctx.Err() != nil {
		return reply, 0, ctx.Err() // who wrote it waits no more: this says nothing of the receiver
	}
	s.metrics.waited.Observe(s.Now().Sub(began).Seconds())
	result, code, failure := resultAnswered, domain.Code(""), ""
	if err != nil {
		result, code, failure = unanswered(err)
	} else if reply, failure = s.readReply(a); failure != "" {
		result, code = resultRefused, domain.CodeSlashAnswer
	} else if reply.Room && reply.Text != "" {
		result = resultPosted
		if err = s.mayPost(run); err == nil {
			seq, err = s.say(ctx, run, "run:"+id, reply.Text)
		}
		if err != nil {
			result, code, failure = resultRefused, domain.CodeSlashAnswer, "its answer cannot be posted to the room: "+
				saidBy(err)
		}
	}
	s.metrics.asked.WithLabelValues(result).Inc()
	s.note(context.WithoutCancel(ctx), c, failure)
	if failure != "" {
		return domain.SlashReply{}, 0, domain.Conflict.Errorf(code, "/%s: %s", c.Name, failure)
	}
	return reply, seq, nil
}

// unanswered says why there is no answer.
func unanswered(err error) (result string, code domain.Code, failure string) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return resultLate, domain.CodeSlashLate, fmt.Sprintf("the receiver did not answer within %d seconds; it may have "+
			"done what it was asked for", int(slashTimeout.Seconds()))
	}
	return resultAway, domain.CodeSlashAway, reasonOf(err)
}

// readReply reads what a receiver answered, or says what is wrong with it.
func (s *Service) readReply(a answered) (reply domain.SlashReply, failure string) {
	switch {
	case a.status >= 300 && a.status < 400:
		return reply, fmt.Sprintf("the receiver sends elsewhere (%d), which is not followed", a.status)
	case a.status < 200 || a.status >= 300:
		return reply, fmt.Sprintf("the receiver answers %d", a.status)
	case len(a.body) > domain.MaxSlashReply:
		return reply, fmt.Sprintf("the answer has more than %d KiB", domain.MaxSlashReply>>10)
	}
	s.parsing <- struct{}{}
	defer func() { <-s.parsing }()
	reply, err := incoming.ParseAnswer(a.header.Get("Content-Type"), a.body)
	var refused incoming.Refused
	if errors.As(err, &refused) {
		return reply, refused.Detail
	}
	return reply, ""
}

// saidBy is what an error says to people.
func saidBy(err error) string {
	var e *domain.Error
	if errors.As(err, &e) && e.Kind != domain.Internal {
		return e.Msg
	}
	return "the server has failed"
}

// mayPost returns an error if a command has posted too much to the room of late.
func (s *Service) mayPost(run domain.SlashRun) error {
	if ok, wait := s.posts.Allow(run.Command.ID+" "+run.Room, s.Now()); !ok {
		return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"a command posts one message a second, and ten at once; answer less often").After(wait)
	}
	return nil
}

// say posts an answer to the room where the command was written. A command of the server becomes a member of it first.
func (s *Service) say(ctx context.Context, run domain.SlashRun, key, text string) (seq int64, err error) {
	c := run.Command
	if c.OfServer() {
		if err := s.Slash.Admit(ctx, run, s.Now()); err != nil {
			return 0, err
		}
	}
	e, err := s.Chat.Send(ctx,
		domain.Principal{ID: c.ID, Kind: domain.KindBot, Role: domain.SystemUser, Owner: c.CreatedBy.ID},
		domain.Draft{Room: run.Room, Key: key, Thread: run.Thread, Text: incoming.Attributed(c.Name, run.User, text)})
	return e.Seq, err
}

// Reply takes a later answer to a slash command, by the secret of its response_url. It calls read, which reads the
// answer, if one may come. What is refused before it is posted or shown is not counted.
func (s *Service) Reply(ctx context.Context, secret string, read func() (domain.SlashReply, error)) error {
	hash := s.Hash(secret)
	run, err := s.Slash.Run(ctx, hash, s.Now())
	if err != nil {
		return err
	}
	r, err := read()
	if err != nil {
		return err
	}
	if r.Room {
		if err := s.mayPost(run); err != nil {
			return err
		}
	}
	if run, err = s.Slash.TakeRun(ctx, hash, s.Now()); err != nil {
		return err
	}
	if r.Room {
		_, err = s.say(ctx, run, domain.NewID("run"), r.Text)
		return err
	}
	frame, err := wire.PackReply(wire.TypeSlashAnswer, wire.SlashAnswer{Room: run.Room, Thread: run.Thread,
		Command: run.Command.Name, Text: r.Text})
	if err != nil {
		return err
	}
	return s.Bus.Publish(wire.UserSubject(run.User.ID), frame)
}

// note stores when a receiver last answered, or what was wrong, each at most once a minute.
func (s *Service) note(ctx context.Context, c domain.SlashCommand, failure string) {
	now, before := s.Now(), c.UsedAt
	if failure != "" {
		before = c.FailedAt
	}
	if failure == c.Failure && now.Sub(before) < noteEvery {
		return
	}
	if err := s.Slash.NoteSlash(ctx, c, failure, now); err != nil {
		s.Log.DebugContext(ctx, "note what a slash command did", "command", c.ID, "err", err)
	}
}
