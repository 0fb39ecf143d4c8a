package app

import "github.com/unhidra/unhidra/internal/files"

// buildPostedFiles makes the module of files in messages.
func (s *server) buildPostedFiles() {
	m := &s.modules
	var scanner *files.Clamd
	if c := s.Config; c.Clamd != "" {
		scanner = &files.Clamd{Addr: c.Clamd, Lenient: c.ClamdAway == "allow"}
		s.health.Hint("virus scanner", scanner.Ping)
	}
	m.files = files.New(files.Deps{
		Store: s.db.Files, Blobs: s.files, Rooms: m.chat, Secrets: secrets{users: m.auth, devices: m.device, bots: m.bot},
		LinkKey: s.keys.Derive("file links"), Space: s.reserve.Space, Log: s.logs.Part("files"), Metrics: s.reg,
		Limits: files.Limits{Size: int64(s.Config.FileSize) << 20, Quota: int64(s.Config.FileStorage) << 20,
			Days: s.Config.KeepFiles, OfAddr: s.Config.RequestsPerAddr},
		Scanner: scanner,
	})
	if s.Config.Works() {
		s.run("posted_files", m.files.Run)
	}
}
