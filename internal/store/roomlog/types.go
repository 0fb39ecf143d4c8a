package roomlog

import (
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// Conditions on the type of an event, made of the catalogue of domain once.
var (
	newMessages     = OfTypes("e.type", func(s domain.EventSpec) bool { return s.Message == domain.NewMessage })
	changedMessages = OfTypes("e.type", func(s domain.EventSpec) bool { return s.Message == domain.ChangedMessage })
	unreadTypes     = OfTypes("type", func(s domain.EventSpec) bool { return s.Unread })
	quietTypes      = OfTypes("type", func(s domain.EventSpec) bool { return s.Quiet })
)

// OfTypes is a condition of SQL: the column holds a type whose row of the catalogue of
// events matches. At least one must.
func OfTypes(column string, match func(domain.EventSpec) bool) string {
	var types []string
	for _, t := range domain.EventTypes(match) {
		types = append(types, `'`+string(t)+`'`)
	}
	if len(types) == 1 {
		return column + ` = ` + types[0]
	}
	return column + ` IN (` + strings.Join(types, `, `) + `)`
}
