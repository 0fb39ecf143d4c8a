package testkit

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// NoRollouts are the rules for what devices tell where there are no rollouts.
type NoRollouts struct{ domain.RolloutRules }

// Connected counts nothing.
func (NoRollouts) Connected(c domain.ConnectRate, _ int64, _ time.Time) domain.ConnectRate { return c }
