package files

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// linkStep is how exactly links end. All links of a step are the same, so that browsers find in their caches what
// they have loaded by the one before.
const linkStep = 6 * time.Hour

// Links are addresses of a file for those who cannot send a token, such as pictures in a page.
type Links struct {
	Content   string `json:"content" doc:"of the file, from the root of this server"`
	Thumbnail string `json:"thumbnail,omitempty" doc:"of its small picture; absent: it has none"`
}

// linkEnd is until when a link is good that is made now: for 6 to 12 hours.
func linkEnd(now time.Time) time.Time { return now.Truncate(linkStep).Add(2 * linkStep) }

// LinksOf returns links to those of the files with ids that p may read. What p may no longer read is not delivered
// by a link either: that is checked at each request.
func (s *Service) LinksOf(
	ctx context.Context, p domain.Principal, ids []string,
) (links map[string]Links, until time.Time, err error) {
	if len(ids) > domain.MaxFileLinks {
		return nil, until, domain.InvalidField("/files", "ask for at most %d files at a time", domain.MaxFileLinks)
	}
	found, err := s.Store.ReadableOf(ctx, ids, p.ID)
	if err != nil {
		return nil, until, err
	}
	until, links = linkEnd(s.Now().UTC()), make(map[string]Links, len(found))
	for _, f := range found {
		l := Links{Content: s.link(f.ID, "content", p.ID, until)}
		if f.Thumb.Hash != "" {
			l.Thumbnail = s.link(f.ID, "thumbnail", p.ID, until)
		}
		links[f.ID] = l
	}
	return links, until, nil
}

func (s *Service) link(file, what, user string, until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	q := url.Values{"user": {user}, "until": {end}, "sig": {s.signature(file, user, end)}}
	return httpx.FilePath + file + "/" + what + "?" + q.Encode()
}

func (s *Service) signature(file, user, until string) string {
	h := hmac.New(sha256.New, s.LinkKey)
	h.Write([]byte(file + "\n" + user + "\n" + until))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// checkLink returns whose link it is, or an error if it was changed or has ended.
func (s *Service) checkLink(file string, q url.Values) (user string, err error) {
	user, until := q.Get("user"), q.Get("until")
	end, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !hmac.Equal([]byte(q.Get("sig")), []byte(s.signature(file, user, until))) {
		return "", domain.Forbidden.Errorf(domain.CodeLinkExpired, "this link was changed; ask for another one")
	}
	if s.Now().Unix() >= end {
		return "", domain.Forbidden.Errorf(domain.CodeLinkExpired, "this link has expired; ask for another one")
	}
	return user, nil
}
