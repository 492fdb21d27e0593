using Spectre.Console;

namespace Llama2.Cli;

/// <summary>Names and values on standard output: a table at the terminal, aligned lines anywhere else.</summary>
internal static class FactTable
{
    public static void Write(IReadOnlyList<(string Name, string Value)> facts, Terminal terminal)
    {
        if (terminal.OutputIsTerminal)
        {
            Table table = new Table().RoundedBorder().HideHeaders().AddColumn("", column => column.NoWrap()).AddColumn("");
            foreach ((string name, string value) in facts)
            {
                table.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
            }

            Terminal.Rich(terminal.Output).Write(table);
            return;
        }

        int width = facts.Max(fact => fact.Name.Length);
        foreach ((string name, string value) in facts)
        {
            terminal.Output.WriteLine($"{name.PadRight(width)}  {value}");
        }
    }
}
