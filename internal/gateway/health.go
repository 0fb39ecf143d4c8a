package gateway

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
)

// CheckHealth adds how many WebSockets are open.
func (g *Service) CheckHealth(_ context.Context, r *domain.HealthReport) error {
	r.Connections = g.conns.count.Load()
	return nil
}
