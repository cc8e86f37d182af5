module coffer/internal/tools/awsgen

go 1.26.0
