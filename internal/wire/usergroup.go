package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// UserGroup is people whom messages mention together.
type UserGroup struct {
	ID        string    `json:"id"`
	Handle    string    `json:"handle" doc:"unique among usernames and handles; what @mentions name"`
	Name      string    `json:"name"`
	Size      int       `json:"size" doc:"people in it"`
	Mine      bool      `json:"mine" doc:"you are in it"`
	CreatedAt time.Time `json:"created_at"`
}

// UserGroupMembers is a user group with who is in it.
type UserGroupMembers struct {
	Group   UserGroup `json:"group"`
	Members []User    `json:"members" nullable:"false" doc:"by their usernames"`
}

// FromUserGroup returns the view of a group.
func FromUserGroup(g domain.UserGroup) UserGroup {
	return UserGroup{ID: g.ID, Handle: g.Handle, Name: g.Name, Size: g.Size, Mine: g.Mine, CreatedAt: g.CreatedAt}
}

// FromUserGroupMembers returns the view of a group with who is in it.
func FromUserGroupMembers(g domain.UserGroup, members []domain.UserRef) UserGroupMembers {
	v := UserGroupMembers{Group: FromUserGroup(g), Members: fromUsers(members)}
	if v.Members == nil {
		v.Members = []User{}
	}
	return v
}
