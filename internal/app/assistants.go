package app

import (
	"github.com/unhidra/unhidra/internal/assistant"
	"github.com/unhidra/unhidra/internal/outbound"
)

// buildAssistants makes the module of assistants. Without UNHIDRA_ASSISTANT_MODEL nobody is answered.
func (s *server) buildAssistants() {
	c, m := s.Config.Assistant, &s.modules
	m.assistant = assistant.New(assistant.Deps{
		Store: s.db.Assistants, RoomLog: s.db.Log, Rooms: s.db.Rooms, Chat: m.chat, Audit: m.audit,
		Endpoint: assistant.Endpoint{URL: c.URL, Host: c.Host(), Key: c.Key.Reveal(), Model: c.Model},
		Models:   m.ml,
		Client:   outbound.Named(assistant.Timeout), PerHour: c.PerHour, Server: s.Config.Name,
		Log: s.logs.Part("assistant"), Metrics: s.reg,
	})
	if m.assistant.On() && s.Config.Works() {
		s.run("assistants", m.assistant.Run)
		s.consume(m.assistant.Consumer())
	}
}
