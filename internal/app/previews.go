package app

import "github.com/unhidra/unhidra/internal/preview"

// buildPreviews makes the module of link previews. Without UNHIDRA_LINK_PREVIEWS it looks at no links, and shows the
// pictures that there are.
func (s *server) buildPreviews() {
	c, m := s.Config, &s.modules
	m.preview = preview.New(preview.Deps{
		Store: s.db.Previews, Blobs: s.files, DiskFull: s.reserve.Full, Networks: c.PrivateNetworks, URL: s.addrs.URL,
		Version: s.Version, Log: s.logs.Part("preview"), Metrics: s.reg, Faces: c.LinkPreviews,
	})
	if c.LinkPreviews && c.Works() {
		s.run("previews", m.preview.Run)
		s.consume(m.preview.Consumer())
	}
}
