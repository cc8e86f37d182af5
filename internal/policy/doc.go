// Package policy is the IAM policy language: it parses documents, decides
// requests and explains the decision. It holds no state and does no I/O; what
// a request rests on (policies, grants, context) is handed in.
//
// It guarantees that an explicit Deny in any policy wins over every Allow and
// every grant, that what is not allowed is denied, that a document with an
// element it does not know is refused instead of half understood, and that
// matching takes time linear in the policy for each value of bounded length.
// Where AWS documents a rule it is followed; where the documentation leaves a
// gap, the reading that admits less is taken and said in a comment.
//
// It does not know which policies belong to a principal, which condition keys
// a service offers, how long a policy may be in each service, nor whether a
// principal exists: its callers do.
//
// Sources: the IAM User Guide (grammar and element reference, condition
// operators, variables, evaluation logic), the KMS Developer Guide (key
// policies, grants, condition keys) and the KMS API reference (GrantConstraints).
package policy
