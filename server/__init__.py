"""The ward's single truth: orders, tasks, drips, alarms, the central screen."""
