using System.ComponentModel;
using System.Globalization;
using Microsoft.SemanticKernel;

namespace Llama2.Samples;

/// <summary>What the model may call; names, descriptions and types are what it gets to see.</summary>
internal sealed class CalendarPlugin
{
    [KernelFunction("today"), Description("Tells today's date.")]
    public static string Today() => TimeProvider.System.GetLocalNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    [KernelFunction("days_between"), Description("Counts the days from one date to another.")]
    public static int DaysBetween(DateTime from, DateTime to) => (to.Date - from.Date).Days;
}
