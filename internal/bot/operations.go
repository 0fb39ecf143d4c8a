package bot

import (
	"context"
	"maps"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// operations are those of people that bots may call as well, each with the scope that it needs. All are about one room.
// What is not here is for no bot, so that a new operation is refused until somebody decides.
var operations = map[string]domain.BotScope{
	"upload-file":     domain.ScopeFiles,
	"list-room-files": domain.ScopeFiles,
	"update-room":     domain.ScopeManage, // of a bot, the topic alone
	"list-pins":       domain.ScopeManage,
	"pin-message":     domain.ScopeManage,
	"unpin-message":   domain.ScopeManage,
	"list-members":    domain.ScopeManage,
	"add-member":      domain.ScopeManage,
	"remove-member":   domain.ScopeManage,
}

// Operations returns the operations of people that bots may call as well, with the scopes that they need.
func Operations() map[string]domain.BotScope { return maps.Clone(operations) }

// Takes implements httpx.Programs.
func (s *Service) Takes(operation, bearer string) bool {
	return operations[operation] != "" && strings.HasPrefix(bearer, domain.BotSecretPrefix)
}

// Admit implements httpx.Programs.
func (s *Service) Admit(ctx context.Context, p domain.Principal, operation, room string) error {
	return s.Require(ctx, p, operations[operation], room)
}

// Require returns an error unless the token that a bot came with has a scope and is for a room.
func (s *Service) Require(ctx context.Context, p domain.Principal, scope domain.BotScope, room string) error {
	k, err := s.token(ctx, p)
	switch {
	case err != nil:
		return err
	case !k.Has(scope):
		return errScope(scope)
	case !k.Covers(room):
		return domain.Forbidden.Errorf(domain.CodeBotScope,
			"this token is for other rooms; the bot's owner can make one that is for this one")
	}
	return nil
}

func errScope(scope domain.BotScope) error {
	return domain.Forbidden.Errorf(domain.CodeBotScope,
		"this token does not have the scope %q; the bot's owner can make one that has it", scope)
}
