package client

import (
	"context"
	"net/url"
)

// UserGroups returns all user groups, which messages mention by their handles, in the order of these.
func (c *Client) UserGroups(ctx context.Context) ([]UserGroup, error) {
	var all struct {
		Items []UserGroup `json:"items"`
	}
	err := c.into(ctx, "/user-groups", &all)
	return all.Items, err
}

// UserGroup returns a user group by its id or handle, and who is in it. The error has the code CodeNoUserGroup if there
// is none.
func (c *Client) UserGroup(ctx context.Context, group string) (g UserGroupMembers, err error) {
	err = c.into(ctx, "/user-groups/"+url.PathEscape(group), &g)
	return g, err
}
