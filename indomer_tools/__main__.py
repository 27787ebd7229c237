"""`python -m indomer_tools COMMAND`: see `command_line`."""

from indomer_tools.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
