"""`python -m kdcli` is `kd`."""

from kdcli.cli import main

if __name__ == "__main__":
    main()
