package outgoing

import (
	"context"
	"maps"
	"net/netip"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// By is an administrator who manages slash commands of the server, and from where.
type By struct {
	domain.AuditActor
	Stands    string // user who stands for what is made or switched on; an administrator
	Session   string
	Addr      netip.Addr
	UserAgent string
	RequestID string
}

// ServerCommands returns the slash commands of the server, by name.
func (s *Service) ServerCommands(ctx context.Context) ([]domain.SlashCommand, error) {
	return s.Slash.ServerCommands(ctx)
}

// CreateServerCommand makes a slash command of the server. Its Secret is told this once.
func (s *Service) CreateServerCommand(
	ctx context.Context, by By, c domain.SlashCommand,
) (domain.SlashCommand, error) {
	c.Name = strings.TrimPrefix(c.Name, "/")
	if err := domain.CheckSlashName(c.Name); err != nil {
		return c, err
	}
	if err := s.checkServerCommand(&c); err != nil {
		return c, err
	}
	c.ID = domain.NewID(domain.SlashPrefix)
	if err := s.recordServer(ctx, by, c, map[string]string{"what": "create"}); err != nil {
		return c, err
	}
	c, err := s.Slash.CreateServerCommand(ctx, by.Stands, c, s.Now())
	if err == nil {
		c.Secret = shownSecret(secretOf(s.Key, c.ID, c.Generation))
	}
	return c, err
}

// A ServerChange is what changes of a slash command of the server; nil leaves as it is.
type ServerChange struct {
	CommandChange
	Kind   *domain.RoomKind // empty: public and private rooms
	Guests *bool
}

// edit applies the change to c, and checks what that comes to.
func (s *Service) edit(c *domain.SlashCommand, change ServerChange) error {
	change.apply(c)
	if change.Kind != nil {
		c.Kind = *change.Kind
	}
	if change.Guests != nil {
		c.Guests = *change.Guests
	}
	return s.checkServerCommand(c)
}

// ChangeServerCommand changes a slash command of the server, by its id or name. Who switches it on, or gives it another
// address, stands for it from then on.
func (s *Service) ChangeServerCommand(
	ctx context.Context, by By, which string, change ServerChange,
) (c domain.SlashCommand, err error) {
	if c, err = s.serverCommand(ctx, which); err != nil {
		return c, err
	}
	wanted := c
	if err := s.edit(&wanted, change); err != nil {
		return c, err
	}
	details := map[string]string{"what": "change"}
	if change.On != nil {
		details["what"] = "switch_off"
		if *change.On {
			details["what"] = "switch_on"
		}
	}
	if err := s.recordServer(ctx, by, wanted, details); err != nil {
		return c, err
	}
	return s.Slash.ChangeServerCommand(ctx, by.Stands, c.ID, func(c *domain.SlashCommand) error {
		return s.edit(c, change)
	}, change.On)
}

// RotateServerCommand replaces the secret of a slash command of the server, as RotateCommand does.
func (s *Service) RotateServerCommand(ctx context.Context, by By, which string) (c domain.SlashCommand, err error) {
	if c, err = s.serverCommand(ctx, which); err != nil {
		return c, err
	}
	if err := s.recordServer(ctx, by, c, map[string]string{"what": "renew"}); err != nil {
		return c, err
	}
	if c, err = s.Slash.RotateServerCommand(ctx, c.ID, s.Now()); err == nil {
		c.Secret = shownSecret(secretOf(s.Key, c.ID, c.Generation))
	}
	return c, err
}

// RemoveServerCommand ends a slash command of the server. What it wrote stays.
func (s *Service) RemoveServerCommand(ctx context.Context, by By, which string) error {
	c, err := s.serverCommand(ctx, which)
	if err != nil {
		return err
	}
	if err := s.recordServer(ctx, by, c, map[string]string{"what": "remove"}); err != nil {
		return err
	}
	return s.Slash.RemoveServerCommand(ctx, c.ID, s.Now())
}

func (s *Service) serverCommand(ctx context.Context, which string) (domain.SlashCommand, error) {
	c, err := s.Slash.ServerCommand(ctx, strings.ToLower(strings.TrimPrefix(which, "/")))
	if domain.CodeOf(err) == domain.CodeNoSlash {
		err = domain.NotFound.Errorf(domain.CodeNoSlash, "the server has no such command; it may have been removed")
	}
	return c, err
}

func (s *Service) checkServerCommand(c *domain.SlashCommand) error {
	if c.Kind != "" && c.Kind != domain.PublicRoom && c.Kind != domain.PrivateRoom {
		return domain.InvalidField("/rooms", "this is public, private, or empty for both")
	}
	return s.checkCommand(c)
}

// recordServer writes what by is about to do to a command into the audit log, before it is done.
func (s *Service) recordServer(ctx context.Context, by By, c domain.SlashCommand, details map[string]string) error {
	details = maps.Clone(details)
	details["command"], details["host"] = c.Name, hostOf(c.URL)
	return s.Audit.RecordSync(ctx, domain.AuditEvent{
		Type: domain.AuditAdminCommand, Actor: by.AuditActor, Target: domain.AuditTarget{Kind: "slash_command", ID: c.ID},
		Session: by.Session, Addr: by.Addr, UserAgent: by.UserAgent, RequestID: by.RequestID, Details: details,
	})
}
