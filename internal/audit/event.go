package audit

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is one record in CloudTrail's format, version 1.08.
//
// Source: AWS CloudTrail User Guide, "CloudTrail record contents for management,
// data, and network activity events"
type Event struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        Identity       `json:"userIdentity"`
	EventTime           time.Time      `json:"eventTime"` // UTC; written to the second
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"`
	ResponseElements    map[string]any `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	ServiceEventDetails map[string]any `json:"serviceEventDetails,omitempty"`
	RequestID           string         `json:"requestID,omitempty"` // empty: no request
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	Resources           []Resource     `json:"resources,omitempty"`
	EventType           string         `json:"eventType"`
	APIVersion          string         `json:"apiVersion,omitempty"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	SharedEventID       string         `json:"sharedEventID,omitempty"`
	EventCategory       string         `json:"eventCategory"`
	TLSDetails          *TLSDetails    `json:"tlsDetails,omitempty"`
	// SessionCredentialFromConsole is "true" for console sessions, else absent.
	SessionCredentialFromConsole string `json:"sessionCredentialFromConsole,omitempty"`
}

// Identity is who made the request.
type Identity struct {
	// Type is Root, IAMUser, AssumedRole, FederatedUser, AWSService or AWSAccount; an
	// event that no request caused has none.
	Type           string          `json:"type,omitempty"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

// SessionContext tells of temporary credentials.
type SessionContext struct {
	SessionIssuer       *SessionIssuer    `json:"sessionIssuer,omitempty"`
	WebIDFederationData map[string]string `json:"webIdFederationData"`
	Attributes          SessionAttributes `json:"attributes"`
	SourceIdentity      string            `json:"sourceIdentity,omitempty"`
}

// MarshalJSON writes webIdFederationData as an object when there is none, as
// CloudTrail does.
func (s SessionContext) MarshalJSON() ([]byte, error) {
	type plain SessionContext
	p := plain(s)
	if p.WebIDFederationData == nil {
		p.WebIDFederationData = map[string]string{}
	}
	return json.Marshal(&p)
}

// SessionIssuer is who gave temporary credentials.
type SessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// SessionAttributes are facts of a session; MFAAuthenticated is "true" or
// "false", a string, as CloudTrail has it.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

// Resource is what an event touched.
type Resource struct {
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
}

// TLSDetails is how the request travelled.
type TLSDetails struct {
	TLSVersion               string `json:"tlsVersion"`
	CipherSuite              string `json:"cipherSuite"`
	ClientProvidedHostHeader string `json:"clientProvidedHostHeader,omitempty"`
}

// MarshalJSON writes the time to the second, as CloudTrail does.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	p := plain(e)
	p.EventTime = p.EventTime.UTC().Truncate(time.Second)
	return json.Marshal(&p)
}

// Username is what LookupEvents finds an event by and shows: of an assumed role
// the name of the session, as at AWS.
func (e *Event) Username() string {
	switch id := &e.UserIdentity; {
	case id.UserName != "":
		return id.UserName
	case id.Type == "AssumedRole" && strings.Contains(id.ARN, ":assumed-role/"):
		return id.ARN[strings.LastIndexByte(id.ARN, '/')+1:]
	case id.Type == "Root":
		return "root"
	case id.SessionContext != nil && id.SessionContext.SessionIssuer != nil:
		return id.SessionContext.SessionIssuer.UserName
	}
	return ""
}

// requestID is the attribute that LookupEvents does not have.
const requestID = "RequestId"

// attributes lists the name and value pairs that LookupEvents can search, and
// RequestId, by which Coffer's own API finds what it explains, each once; of data
// events, of which there are many, those that tell them apart.
func (e *Event) attributes() [][2]string {
	readOnly := "false"
	if e.ReadOnly {
		readOnly = "true"
	}
	if e.EventCategory == "Data" {
		return unique(e.withResources([][2]string{
			{"EventId", e.EventID}, {"EventName", e.EventName}, {"Username", e.Username()}}))
	}
	list := [][2]string{
		{"EventId", e.EventID}, {"EventName", e.EventName}, {"EventSource", e.EventSource},
		{"ReadOnly", readOnly}, {"Username", e.Username()},
		{"AccessKeyId", e.UserIdentity.AccessKeyID}, {requestID, e.RequestID},
	}
	return unique(e.withResources(list))
}

// withResources adds the attributes of an event's resources.
func (e *Event) withResources(list [][2]string) [][2]string {
	for _, r := range e.Resources {
		list = append(list, [2]string{"ResourceType", r.Type})
		for _, name := range r.names() {
			list = append(list, [2]string{"ResourceName", name})
		}
	}
	return list
}

func unique(list [][2]string) [][2]string {
	unique := list[:0]
	for _, a := range list {
		if a[1] = written(a[1]); !slices.Contains(unique, a) {
			unique = append(unique, a)
		}
	}
	return unique
}

// written gives s as it is read back from JSON, which knows only UTF-8.
func written(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
