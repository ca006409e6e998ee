from surefoot import Environment

Environment(metadata="app.models:metadata", database="app.db:migration_database").run()
