package rollout

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
)

// explain adds to views of crashes of a product what their addresses are. Each ELF file is asked once.
func (s *Service) explain(ctx context.Context, product string, of []domain.CrashGroup, views []CrashGroupView) error {
	if s.Symbols == nil {
		return nil
	}
	addresses := make(map[string][]uint32)
	for _, g := range of {
		elf := g.Example.ELFSHA256
		addresses[elf] = append(addresses[elf], g.Example.Calls()...)
	}
	for elf, all := range addresses {
		known, how, err := s.Symbols.Explain(ctx, product, elf, all)
		if err != nil {
			return err
		}
		for i, g := range of {
			if g.Example.ELFSHA256 == elf {
				views[i].Calls, views[i].Explained = callViews(g.Example, known), string(how)
			}
		}
	}
	return nil
}
