package incoming

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// gitlabBody has what is shown of GitLab's events.
type gitlabBody struct {
	Kind     string `json:"object_kind"`
	Event    string `json:"event_name"`
	UserName string `json:"user_name"`
	User     struct {
		Name string `json:"name"`
	} `json:"user"`
	Project struct {
		Path string `json:"path_with_namespace"`
		URL  string `json:"web_url"`
	} `json:"project"`
	Ref     string `json:"ref"`
	After   string `json:"after"`
	Total   int    `json:"total_commits_count"`
	Commits []struct {
		Title   string `json:"title"`
		Message string `json:"message"`
		URL     string `json:"url"`
	} `json:"commits"`
	Object struct {
		ID          int64  `json:"id"`
		IID         int    `json:"iid"`
		Title       string `json:"title"`
		URL         string `json:"url"`
		Action      string `json:"action"`
		State       string `json:"state"`
		Note        string `json:"note"`
		Description string `json:"description"`
		Status      string `json:"status"`
		Ref         string `json:"ref"`
	} `json:"object_attributes"`
	Issue        *gitlabPage `json:"issue"`
	MergeRequest *gitlabPage `json:"merge_request"`
	// of jobs and releases
	BuildName   string `json:"build_name"`
	BuildStatus string `json:"build_status"`
	Tag         word   `json:"tag"`
	Name        string `json:"name"`
	URL         string `json:"url"`
	Action      string `json:"action"`
}

type gitlabPage struct {
	IID   int    `json:"iid"`
	Title string `json:"title"`
}

func gitlab(data []byte) (string, error) {
	var b gitlabBody
	if err := json.Unmarshal(data, &b); err != nil {
		return "", err
	}
	return joined(" · ", link(plain(b.Project.Path), b.Project.URL), b.markdown()), nil
}

func (b gitlabBody) markdown() string {
	who, o := bold(plain(cmp.Or(b.User.Name, b.UserName))), b.Object
	did := map[string]string{"open": "opened", "close": "closed", "reopen": "reopened", "update": "changed",
		"merge": "merged", "approved": "approved", "unapproved": "took back the approval of",
		"approval": "approved", "unapproval": "took back the approval of", "create": "created", "delete": "deleted",
		"": "changed"}[o.Action]
	switch b.Kind {
	case "push", "tag_push":
		return b.push(who)
	case "issue", "work_item":
		return joined(" ", who, did, "issue", numbered("#", o.IID, o.Title, o.URL)) + opened(o.Action, o.Description)
	case "merge_request":
		return joined(" ", who, did, "merge request", numbered("!", o.IID, o.Title, o.URL)) + opened(o.Action, o.Description)
	case "note":
		return who + " wrote " + link("a comment", o.URL) + " on " + b.subject() + quoted(o.Note)
	case "pipeline":
		return joined(" ", ended(o.Status), link(fmt.Sprintf("pipeline %d", o.ID), o.URL), "on", code(o.Ref)+":",
			plain(o.Status))
	case "build":
		return joined(" ", ended(b.BuildStatus), "job", code(b.BuildName), "on", code(b.Ref)+":", plain(b.BuildStatus))
	case "release":
		return joined(" ", "release", link(plain(b.Name), b.URL), code(string(b.Tag)), plain(b.Action)+"d")
	case "wiki_page":
		return joined(" ", who, did, "the wiki page", link(plain(o.Title), o.URL))
	}
	return joined(" ", who, code(cmp.Or(b.Kind, b.Event)), plain(o.Action))
}

func ended(status string) string {
	return map[string]string{"success": "✅", "failed": "❌", "canceled": "⏹️"}[status]
}

func opened(action, text string) string {
	if action != "open" {
		return ""
	}
	return quoted(text)
}

func quoted(text string) string { return (&page{Body: text}).said() }

func numbered(sign string, number int, title, address string) string {
	return link(plain(fmt.Sprintf("%s%d %s", sign, number, short(title, 200))), address)
}

// subject is what a comment is about.
func (b gitlabBody) subject() string {
	switch {
	case b.MergeRequest != nil:
		return "merge request " + plain(fmt.Sprintf("!%d %s", b.MergeRequest.IID, b.MergeRequest.Title))
	case b.Issue != nil:
		return "issue " + plain(fmt.Sprintf("#%d %s", b.Issue.IID, b.Issue.Title))
	}
	return "a commit"
}

func (b gitlabBody) push(who string) string {
	kind, ref := "branch", strings.TrimPrefix(b.Ref, "refs/heads/")
	if tag, ok := strings.CutPrefix(b.Ref, "refs/tags/"); ok {
		kind, ref = "tag", tag
	}
	switch {
	case strings.Trim(b.After, "0") == "":
		return who + " deleted the " + kind + " " + code(ref)
	case len(b.Commits) == 0 || kind == "tag":
		return who + " created the " + kind + " " + code(ref)
	}
	total := max(b.Total, len(b.Commits))
	lines := []string{who + " pushed " + counted(total, "commit") + " to " + code(ref)}
	for _, c := range b.Commits[:min(len(b.Commits), shownCommits)] {
		title := cmp.Or(c.Title, firstLine(c.Message))
		lines = append(lines, "- "+link(plain(short(title, 120)), c.URL))
	}
	if more := total - min(len(b.Commits), shownCommits); more > 0 {
		lines = append(lines, fmt.Sprintf("- … and %d more", more))
	}
	return strings.Join(lines, "\n")
}
