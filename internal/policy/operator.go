package policy

// family is the type of values that a condition operator compares.
type family uint8

const (
	ofString family = iota
	ofNumber
	ofDate
	ofBool
	ofBinary
	ofAddress
	ofARN
	ofPresence // Null
)

// relation is how an operator compares the request's value with the policy's.
type relation uint8

const (
	equal relation = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// operator is a condition operator without its set qualifier and IfExists.
type operator struct {
	family    family
	relation  relation
	negated   bool
	wildcards bool // * and ? in the policy's value
	foldCase  bool
}

// operators are all that IAM documents. Names have case.
var operators = map[string]operator{
	"StringEquals":              {family: ofString},
	"StringNotEquals":           {family: ofString, negated: true},
	"StringEqualsIgnoreCase":    {family: ofString, foldCase: true},
	"StringNotEqualsIgnoreCase": {family: ofString, foldCase: true, negated: true},
	"StringLike":                {family: ofString, wildcards: true},
	"StringNotLike":             {family: ofString, wildcards: true, negated: true},

	"NumericEquals":            {family: ofNumber},
	"NumericNotEquals":         {family: ofNumber, negated: true},
	"NumericLessThan":          {family: ofNumber, relation: less},
	"NumericLessThanEquals":    {family: ofNumber, relation: lessOrEqual},
	"NumericGreaterThan":       {family: ofNumber, relation: greater},
	"NumericGreaterThanEquals": {family: ofNumber, relation: greaterOrEqual},

	"DateEquals":            {family: ofDate},
	"DateNotEquals":         {family: ofDate, negated: true},
	"DateLessThan":          {family: ofDate, relation: less},
	"DateLessThanEquals":    {family: ofDate, relation: lessOrEqual},
	"DateGreaterThan":       {family: ofDate, relation: greater},
	"DateGreaterThanEquals": {family: ofDate, relation: greaterOrEqual},

	"Bool":         {family: ofBool},
	"BinaryEquals": {family: ofBinary},
	"IpAddress":    {family: ofAddress},
	"NotIpAddress": {family: ofAddress, negated: true},
	"ArnEquals":    {family: ofARN},
	"ArnLike":      {family: ofARN},
	"ArnNotEquals": {family: ofARN, negated: true},
	"ArnNotLike":   {family: ofARN, negated: true},
	"Null":         {family: ofPresence},
}

// compares reports whether an order, as cmp.Compare gives it, is the relation.
func (r relation) compares(order int) bool {
	switch r {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	}
	return order == 0
}
