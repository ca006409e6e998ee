from surefoot import Environment

Environment(metadata="sample.models:metadata", database="harness.environment:database").run()
