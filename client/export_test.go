package client

// Strict makes c refuse answers that have fields which it does not know.
func Strict(c *Client) *Client {
	c.strict = true
	return c
}
