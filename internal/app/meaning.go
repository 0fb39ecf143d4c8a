package app

import (
	"fmt"

	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/history"
	"github.com/unhidra/unhidra/internal/meaning"
)

// buildMeaning makes the module of search by meaning. It does nothing unless the operator names a model.
func (s *server) buildMeaning() (err error) {
	var model *embed.Model
	if path := s.Config.SearchModel; path != "" {
		if model, err = embed.Load(path); err != nil {
			return fmt.Errorf("UNHIDRA_SEARCH_MODEL: %w", err)
		}
	}
	s.modules.meaning = meaning.New(meaning.Deps{
		Store: s.db.Search, Model: model, Log: s.logs.Part("meaning"), Metrics: s.reg,
	})
	return nil
}

// byMeaning is what search knows of meaning: nothing without a model.
func (s *server) byMeaning() history.Meaning {
	if s.modules.meaning.Model == nil {
		return nil
	}
	return s.modules.meaning
}

// runMeaning has vectors of messages made, and loaded for searches.
func (s *server) runMeaning() {
	m := s.modules.meaning
	if m.Model == nil {
		return
	}
	s.run("load vectors", m.Load)
	if s.Config.Works() {
		s.run("vectors of earlier messages", m.Backfill)
		s.consume(m.Consumer())
	}
}
