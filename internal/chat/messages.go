package chat

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) messageRoutes(api huma.API) {
	const tag = "messages"
	httpx.Register(api, status(op("send-message", "POST", "/rooms/{room}/messages", tag,
		"Write a message; the same key gives the same message"), 201), s.postMessage)
	httpx.Register(api, op("edit-message", "PATCH", "/rooms/{room}/messages/{seq}", tag, "Give your message a new text"),
		s.patchMessage)
	httpx.Register(api, op("tick-task", "PUT", "/rooms/{room}/messages/{seq}/tasks/{task}", tag,
		"Mark a task of your message as done or not; repeating it changes nothing"), s.putTask)
	httpx.Register(api, op("delete-message", "DELETE", "/rooms/{room}/messages/{seq}", tag, "Delete a message"),
		s.deleteMessage)
	httpx.Register(api, op("mark-read", "PUT", "/rooms/{room}/read", tag, "Say how far you have read"), s.putRead)
	httpx.Register(api, op("mark-unread", "PUT", "/rooms/{room}/messages/{seq}/unread", tag,
		"Have a message and those after it be unread again"), s.putUnread)
}

// InMessage is the input of operations on a message.
type InMessage struct {
	InRoom
	Seq int64 `path:"seq" minimum:"1"`
}

func sent(e domain.Event) wire.Sent {
	m := wire.FromMessage(*e.Message)
	return wire.Sent{Seq: e.Seq, Message: &m}
}

func (s *Service) postMessage(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Key         string `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
		Text        string `json:"text,omitempty" example:"Tea is ready." doc:"needed without files"`
		ContentType string `json:"content_type,omitempty" doc:"absent: text/markdown; text/vnd.unhidra.action: the text says what the sender does"`
		ReplyTo     int64  `json:"reply_to,omitempty" doc:"seq of the message it answers"`
		Thread      int64  `json:"thread,omitempty" doc:"seq of the message whose thread it is a reply in"`
		Broadcast   bool   `json:"broadcast,omitempty" doc:"with thread: also a line of the room"`
		// Files may come without text.
		Files []string `json:"files,omitempty" maxItems:"10" doc:"ids of your uploads; with them text may be empty"`
	}
}) (*body[wire.Sent], error) {
	p := httpx.Principal(ctx)
	b := in.Body
	e, err := s.Send(ctx, p, domain.Draft{Room: in.Room, Key: b.Key, Text: b.Text, ContentType: b.ContentType,
		ReplyTo: b.ReplyTo, Thread: b.Thread, Broadcast: b.Broadcast, Files: b.Files})
	return answer(e, err, sent)
}

func (s *Service) patchMessage(ctx context.Context, in *struct {
	InMessage
	Body struct {
		Text string `json:"text"`
	}
}) (*body[wire.Sent], error) {
	p := httpx.Principal(ctx)
	e, err := s.Edit(ctx, p, in.Room, in.Seq, in.Body.Text)
	return answer(e, err, sent)
}

func (s *Service) putTask(ctx context.Context, in *struct {
	InMessage
	N    int `path:"task" minimum:"1" doc:"the how manieth task of the message it is"`
	Body struct {
		Task string `json:"task" doc:"the line of the task, as you have seen it: one that was changed is not ticked"`
		Done bool   `json:"done"`
	}
}) (*body[wire.Sent], error) {
	e, err := s.Tick(ctx, httpx.Principal(ctx), in.Room, in.Seq,
		domain.Ticking{N: in.N, Task: in.Body.Task, Done: in.Body.Done})
	return answer(e, err, sent)
}

func (s *Service) deleteMessage(ctx context.Context, in *InMessage) (*body[wire.Sent], error) {
	e, err := s.Delete(ctx, httpx.Principal(ctx), in.Room, in.Seq)
	return answer(e, err, sent)
}

func (s *Service) putRead(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Seq  int64 `json:"seq" minimum:"0"`
		Main bool  `json:"main,omitempty" doc:"the marks of threads stay; else all threads are read to seq, too"`
	}
}) (*body[wire.Mark], error) {
	m, err := s.MarkRead(ctx, httpx.Principal(ctx), in.Room, in.Body.Seq, in.Body.Main)
	return answer(m, err, wire.FromMark)
}

func (s *Service) putUnread(ctx context.Context, in *InMessage) (*body[wire.Mark], error) {
	m, err := s.MarkUnread(ctx, httpx.Principal(ctx), in.Room, in.Seq)
	return answer(m, err, wire.FromMark)
}
