package app

import (
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
)

// watchQueues registers what waits in this process. The bus, mail and the audit
// log tell of their queues by themselves.
func (s *server) watchQueues() {
	m := s.modules
	qs := storeQueues(s.db)
	qs = append(qs, m.chat.Queues()...)
	qs = append(qs, m.hub.Queues()...)
	qs = append(qs, m.gateway.Queues()...)
	qs = append(qs, m.auth.Queues()...)
	qs = append(qs, m.history.Queues()...)
	obs.WatchQueues(s.reg, qs...)
}

func storeQueues(db *all.Store) []obs.Queue {
	load := db.Load()
	qs := []obs.Queue{{
		Name: "writes", Limit: load.Limit, Depth: func() int { return db.Load().Waiting }, Full: func() int64 { return db.Load().Refused },
	}}
	if load.TransactionsLimit > 0 {
		qs = append(qs, obs.Queue{
			Name: "transactions", Limit: load.TransactionsLimit, Depth: func() int { return db.Load().Transactions }, Full: func() int64 { return db.Load().TransactionsRefused },
		})
	}
	return qs
}
