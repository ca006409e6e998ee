from surefoot import Environment

Environment(metadata="app.models:Base.metadata", database="app.db:migration_database").run()
